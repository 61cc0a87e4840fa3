int shared; char buffer[100]; double initial = 2.5;
int bump(void) { return ++shared; }
