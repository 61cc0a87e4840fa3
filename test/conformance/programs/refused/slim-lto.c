// objects: gcc -O1 -fPIC -flto -fno-fat-lto-objects
// refused: LINK_ERROR it was made by gcc -flto
int main(void) { return 0; }
