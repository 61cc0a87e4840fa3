// refused: SYMBOLS_NOT_FOUND main
int other(void) { return 1; }
