"""The data of the project, and its answers. They are the same in every run: nothing here is random."""
