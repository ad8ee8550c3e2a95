"""Sparkplug B: the lab as an edge node, its devices and batches as devices of the node."""
