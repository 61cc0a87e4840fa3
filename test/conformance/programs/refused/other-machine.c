// objects: clang --target=i386-linux-gnu -O1 -nostdinc
// refused: LINK_ERROR the object is not 64-bit little-endian ELF
int main(void) { return 0; }
