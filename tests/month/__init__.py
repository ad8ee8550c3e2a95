"""A month of a hub and three gateways as processes, with everything that can be cut being cut, and what must hold."""
