// Where the CPU goes for each of the 256 vectors: save a Frame (frame.h), call guest_interrupted(),
// restore and return. RSP is 16-byte aligned before the CPU pushes its part of the frame.
        .section .text.vectors, "ax"
        .code64

// vector_stubs + 16 * N is vector N's. Where the CPU pushes no error code, a zero stands in.
        .balign 4096
        .globl  vector_stubs
vector_stubs:
        .set    vector, 0
        .rept   256
        .balign 16
        .if     vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21 && vector != 29 && vector != 30
        pushq   $0
        .endif
        pushq   $vector
        jmp     interrupted
        .set    vector, vector + 1
        .endr

        .type   interrupted, @function
interrupted:
        pushq   %rax
        pushq   %rbx
        pushq   %rcx
        pushq   %rdx
        pushq   %rsi
        pushq   %rdi
        pushq   %rbp
        pushq   %r8
        pushq   %r9
        pushq   %r10
        pushq   %r11
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, %rdi                      // the Frame
        pushq   136(%rdi)                       // its RIP and RBP make the interrupted function
        pushq   %rbp                            // the caller in a backtrace
        movq    %rsp, %rbp
        cld
        call    guest_interrupted
        addq    $16, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %r11
        popq    %r10
        popq    %r9
        popq    %r8
        popq    %rbp
        popq    %rdi
        popq    %rsi
        popq    %rdx
        popq    %rcx
        popq    %rbx
        popq    %rax
        addq    $16, %rsp                       // vector and error code
        iretq
        .size   interrupted, . - interrupted

        .section .note.GNU-stack, "", @progbits
