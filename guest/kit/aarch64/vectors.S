// Where the CPU goes for each of the 16 vectors: save a Frame (frame.h), call guest_interrupted(),
// restore and return. SP_EL1 is the stack in every case: the kit never runs on SP_EL0 in EL1.
        .set    frame_size, 320
        .set    frame_sp, 248
        .set    frame_esr, 272
        .set    frame_vector, 288
        .set    frame_link, 296

        .section .text.vectors, "ax"

        .balign 0x800
        .globl  vectors
vectors:
        .set    vector, 0
        .rept   16
        .balign 0x80
        sub     sp, sp, #frame_size
        stp     x0, x1, [sp]
        mov     x0, #vector
        b       interrupted
        .set    vector, vector + 1
        .endr

        .balign 0x80
        .type   interrupted, %function
interrupted:
        stp     x2, x3, [sp, #16]
        stp     x4, x5, [sp, #32]
        stp     x6, x7, [sp, #48]
        stp     x8, x9, [sp, #64]
        stp     x10, x11, [sp, #80]
        stp     x12, x13, [sp, #96]
        stp     x14, x15, [sp, #112]
        stp     x16, x17, [sp, #128]
        stp     x18, x19, [sp, #144]
        stp     x20, x21, [sp, #160]
        stp     x22, x23, [sp, #176]
        stp     x24, x25, [sp, #192]
        stp     x26, x27, [sp, #208]
        stp     x28, x29, [sp, #224]
        mrs     x2, elr_el1
        mrs     x3, spsr_el1
        mrs     x4, sp_el0
        add     x5, sp, #frame_size
        tst     x3, #0xf                        // EL0 has its own stack
        csel    x4, x4, x5, eq
        stp     x30, x4, [sp, #frame_sp - 8]
        stp     x2, x3, [sp, #frame_sp + 8]     // pc, pstate
        mrs     x4, esr_el1
        mrs     x5, far_el1
        stp     x4, x5, [sp, #frame_esr]
        str     x0, [sp, #frame_vector]
        stp     x29, x2, [sp, #frame_link]
        add     x29, sp, #frame_link
        mov     x0, sp                          // the Frame
        bl      guest_interrupted
        ldp     x2, x3, [sp, #frame_sp + 8]
        msr     elr_el1, x2
        msr     spsr_el1, x3
        tst     x3, #0xf
        b.ne    1f
        ldr     x4, [sp, #frame_sp]
        msr     sp_el0, x4
1:      ldp     x28, x29, [sp, #224]
        ldp     x26, x27, [sp, #208]
        ldp     x24, x25, [sp, #192]
        ldp     x22, x23, [sp, #176]
        ldp     x20, x21, [sp, #160]
        ldp     x18, x19, [sp, #144]
        ldp     x16, x17, [sp, #128]
        ldp     x14, x15, [sp, #112]
        ldp     x12, x13, [sp, #96]
        ldp     x10, x11, [sp, #80]
        ldp     x8, x9, [sp, #64]
        ldp     x6, x7, [sp, #48]
        ldp     x4, x5, [sp, #32]
        ldp     x2, x3, [sp, #16]
        ldr     x30, [sp, #240]
        ldp     x0, x1, [sp]
        add     sp, sp, #frame_size
        eret
        .size   interrupted, . - interrupted

        .section .note.GNU-stack, "", %progbits
