"""Explorer of notebook 06b: which maps can be trusted?"""
