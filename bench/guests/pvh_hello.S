// The hello guest for QEMU's microvm, entered by the PVH protocol (32-bit, paging off): the same words
// through the same UART, polled the same way, then the exit port.
        .code32
        .section .text
        .globl  _start
_start:
        movw    $0x3fb, %dx                     // line control: 8 bits, no parity
        movb    $3, %al
        outb    %al, %dx
        movw    $0x3fa, %dx                     // FIFO on
        movb    $1, %al
        outb    %al, %dx
        movl    $words, %esi
        xorl    %ecx, %ecx                      // bytes the FIFO has room for
next:   movb    (%esi), %bl
        incl    %esi
        testb   %bl, %bl
        jz      end
        testl   %ecx, %ecx
        jnz     room
wait:   movw    $0x3fd, %dx
        inb     %dx, %al
        testb   $0x20, %al
        jz      wait
        movl    $16, %ecx
room:   movw    $0x3f8, %dx
        movb    %bl, %al
        outb    %al, %dx
        decl    %ecx
        jmp     next
end:    movw    $0xf4, %dx
        xorl    %eax, %eax
        outl    %eax, %dx
1:      hlt
        jmp     1b

        .section .rodata
words:  .asciz  "Hello from a Nestling guest.\n"

        .section .note.Xen, "a", @note
        .balign 4
        .long   4, 4, 18                        // sizes of name and value; XEN_ELFNOTE_PHYS32_ENTRY
        .asciz  "Xen"
        .long   _start
        .section .note.GNU-stack, "", @progbits
