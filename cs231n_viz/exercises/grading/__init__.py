"""A folder of hand-ins becomes points: ``python -m cs231n_viz.exercises grade FOLDER``.

An answer runs in a process of its own and sends back values; another one, which never runs it, judges these.
"""
