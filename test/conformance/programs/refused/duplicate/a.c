// refused: LINK_ERROR both already defined by a.c
int both(void) { return 1; }
int main(void) { return both(); }
