"""Messages between clients: who subscribes to what, what is retained, who may."""
