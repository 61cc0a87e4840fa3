int both(void) { return 2; }
