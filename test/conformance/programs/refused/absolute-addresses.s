# refused: LINK_ERROR it has addresses of 32 bits or less
	.text
	.globl main
	.type main, @function
main:	mov $value, %eax
	ret
	.data
value:	.long 1
	.section .note.GNU-stack,"",@progbits
