static int start() { return 100; }
thread_local int counter = start();
int bump() { return ++counter; }
