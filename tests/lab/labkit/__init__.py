"""What `lab.py` is made of: one module per concept, standard library only."""
