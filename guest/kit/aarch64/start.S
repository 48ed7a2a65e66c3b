// The first instructions of a kernel: its own stack, vectors and MMU, then guest_start(). Entered in
// EL1 with the MMU off, interrupts off, and the address of the BootInfo in X1. The loader has zeroed
// .bss. The CPUs that PSCI starts come in by secondary_start (smp.cpp).
        .section .text.start, "ax"
        .globl  _start
        .type   _start, %function
_start:
        mov     x19, x1
        mrs     x20, vbar_el1
        msr     tpidr_el1, xzr                  // CPU 0, see smp.cpp
        bl      set_up_cpu
        adrp    x1, boot_vectors                // stored with the caches on, where all will see it
        str     x20, [x1, #:lo12:boot_vectors]
        adrp    x1, boot_stack_top
        add     x1, x1, #:lo12:boot_stack_top
        mov     sp, x1
        mov     x29, xzr                        // the end of every chain of frames
        mov     x0, x19
        bl      guest_start
        brk     #0                              // it never returns
        .size   _start, . - _start

// X0: the address of the CpuStart (smp.cpp), whose first words are a stack and a function.
        .globl  secondary_start
        .type   secondary_start, %function
secondary_start:
        mov     x19, x0
        bl      set_up_cpu
        ldp     x1, x2, [x19]
        mov     sp, x1
        mov     x29, xzr
        mov     x30, xzr
        mov     x0, x19
        br      x2
        .size   secondary_start, . - secondary_start

// Vectors, SIMD, and the MMU with the tables below; clobbers X0 and X1.
        .type   set_up_cpu, %function
set_up_cpu:
        msr     spsel, #1
        adrp    x0, vectors
        add     x0, x0, #:lo12:vectors
        msr     vbar_el1, x0
        mov     x0, #(3 << 20)                  // CPACR_EL1.FPEN
        msr     cpacr_el1, x0
        ldr     x0, =0xff04                     // MAIR: 0 device nGnRE, 1 normal write-back
        msr     mair_el1, x0
        // TCR: 48 bits, write-back inner shareable walks, 4 KiB granule, TTBR1 off.
        ldr     x0, =(16 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23)
        mrs     x1, id_aa64mmfr0_el1            // as many physical address bits as there are,
        and     x1, x1, #0xf
        cmp     x1, #5                          // up to 48
        b.ls    1f
        mov     x1, #5
1:      bfi     x0, x1, #32, #3
        msr     tcr_el1, x0
        adrp    x0, level0_table
        add     x0, x0, #:lo12:level0_table
        msr     ttbr0_el1, x0
        dsb     ish
        tlbi    vmalle1
        ic      iallu
        dsb     ish
        isb
        mrs     x0, sctlr_el1
        mov     x1, #0x1005                     // M, C, I
        orr     x0, x0, x1
        bic     x0, x0, #(1 << 1)               // A
        bic     x0, x0, #(1 << 19)              // WXN
        msr     sctlr_el1, x0
        isb
        ret
        .size   set_up_cpu, . - set_up_cpu
        .ltorg

// ---- The first 4 GiB, each address mapped to itself -------------------------------------------
// Of RAM's first GiB, 2 MiB blocks; of its first 2 MiB, where kernels lie, pages: so nobody has to
// replace a block that he runs from. Nothing of the kernel's may be executed in EL0.
        .set    normal_block, 0x0040000000000705
        .set    normal_page, 0x0040000000000707
        .set    device_block, 0x0060000000000401
        .section .data.tables, "aw"
        .balign 4096
level0_table:
        .quad   level1_table + 3
        .space  511 * 8
level1_table:
        .quad   device_block
        .quad   level2_table + 3
        .quad   normal_block + 0x80000000
        .quad   device_block + 0xc0000000
        .space  508 * 8
level2_table:
        .quad   level3_table + 3
        .set    address, 0x40200000
        .rept   511
        .quad   normal_block + address
        .set    address, address + 0x200000
        .endr
level3_table:
        .set    address, 0x40000000
        .rept   512
        .quad   normal_page + address
        .set    address, address + 0x1000
        .endr

        .section .data.boot_vectors, "aw"
        .balign 8
        .globl  boot_vectors
boot_vectors:
        .quad   0

        .section .bss.boot_stack, "aw", %nobits
        .balign 16
        .space  0x4000
        .globl  boot_stack_top
boot_stack_top:

        .section .note.GNU-stack, "", %progbits
