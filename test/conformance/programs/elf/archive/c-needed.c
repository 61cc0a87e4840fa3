static int state = 5;
int needed(int x) { return x + state++; }
