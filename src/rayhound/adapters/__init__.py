"""What stands behind the ports: each adapter speaks to one thing outside, and only adapters import a vendor."""
