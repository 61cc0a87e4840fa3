#include <stdio.h>
__asm__(".text\n.globl from_asm\n.type from_asm,@function\nfrom_asm:\n lea 7(%rdi,%rsi), %eax\n ret\n.size from_asm,.-from_asm\n"
        ".data\n.globl asm_data\n.type asm_data,@object\n.size asm_data,4\nasm_data: .long 99\n");
int from_asm(int, int); extern int asm_data;
int main(void) { asm_data++; printf("%d %d\n", from_asm(1, 2), asm_data); return 0; }
