// Writes COUNT bytes to the UART's scratch register, a port that a device claims and that says nothing,
// then ends with status 0. Sixteen writes a turn, so that little but exits is measured.
        .code64
        .section .text
        .globl  _start
_start:
        movl    $0x3ff, %edx
        movl    $(COUNT / 16), %ecx
1:      .rept   16
        outb    %al, %dx
        .endr
        decl    %ecx
        jnz     1b
        movl    $0xf4, %edx
        xorl    %eax, %eax
        outl    %eax, %dx
2:      hlt
        jmp     2b
        .section .note.GNU-stack, "", @progbits
