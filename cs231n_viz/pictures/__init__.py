"""Pictures in and out: reading, resizing and saving them; galleries of photographs, folders and scenes."""
