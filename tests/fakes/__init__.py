"""Real HTTP servers on loopback that stand where the world's services stand, for tests and benchmarks."""
