// GDT, TSS and IDT, complete in the image so that no start-up code has to build them. A descriptor
// holds an address in pieces, which no relocation can make: kernel.ld defines the pieces.
        .section .data.tables, "aw"

// ---- GDT ------------------------------------------------------------------------------------
        .balign 16
gdt:
        .quad   0                               // 0x00
        .quad   0x00af9b000000ffff              // 0x08 kernel code, 64-bit
        .quad   0x00cf93000000ffff              // 0x10 kernel data
        .quad   0x00cff3000000ffff              // 0x1b user data
        .quad   0x00affb000000ffff              // 0x23 user code, 64-bit
        .word   tss_size - 1, tss_bits_0_15     // 0x28 TSS, two slots
        .byte   tss_bits_16_23, 0x89, 0, tss_bits_24_31
        .quad   0
        .quad   0x00cf13000000ffff              // 0x38 kernel data, not present: for tests
gdt_end:

        .balign 16
        .globl  gdt_pointer
gdt_pointer:
        .word   gdt_end - gdt - 1
        .quad   gdt

// ---- TSS ------------------------------------------------------------------------------------
        .balign 16
        .globl  tss
tss:
        .long   0
        .quad   trap_stack_top                  // RSP0: entries from ring 3
        .quad   0, 0                            // RSP1, RSP2
        .quad   0
        .quad   double_fault_stack_top          // IST1
        .quad   nmi_stack_top                   // IST2
        .quad   machine_check_stack_top         // IST3
        .quad   0, 0, 0, 0                      // IST4 … IST7
        .quad   0
        .word   0, tss_size                     // no I/O permission bitmap: ring 3 has no ports
tss_end:
        .set    tss_size, tss_end - tss

// ---- IDT: 256 interrupt gates, gate N to 16 * N bytes behind vector_stubs ---------------------
        .macro  gate vector, ist, access
        .word   vector_stubs_bits_0_15 + 16 * \vector, 0x08
        .byte   \ist, \access
        .word   vector_stubs_bits_16_31
        .quad   0
        .endm

        .balign 16
idt:
        .set    vector, 0
        .rept   256
        .if     vector == 2                     // NMI
        gate    vector, 2, 0x8e
        .elseif vector == 3                     // ring 3 may raise #BP and #OF by instruction,
        gate    vector, 0, 0xee
        .elseif vector == 4
        gate    vector, 0, 0xee
        .elseif vector == 8                     // #DF
        gate    vector, 1, 0x8e
        .elseif vector == 18                    // #MC
        gate    vector, 3, 0x8e
        .elseif vector == 0x80                  // and make system calls
        gate    vector, 0, 0xee
        .else
        gate    vector, 0, 0x8e
        .endif
        .set    vector, vector + 1
        .endr
idt_end:

        .balign 16
        .globl  idt_pointer
idt_pointer:
        .word   idt_end - idt - 1
        .quad   idt

// ---- Stacks -----------------------------------------------------------------------------------
        .section .bss.trap_stacks, "aw", @nobits
        .balign 16
        .space  0x4000
trap_stack_top:
        .space  0x2000
double_fault_stack_top:
        .space  0x2000
nmi_stack_top:
        .space  0x2000
machine_check_stack_top:

        .section .note.GNU-stack, "", @progbits
