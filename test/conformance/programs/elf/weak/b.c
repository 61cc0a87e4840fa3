int chosen(void) { return 10; }
int data = 30;
