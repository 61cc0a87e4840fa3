int somebody(int x) { return x * x; }
