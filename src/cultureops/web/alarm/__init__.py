"""Alarms as pages show them."""
