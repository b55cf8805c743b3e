"""What the project is filled with, and what it answers. The same at every run: nothing here is random."""
