// Clocks a top of cases until it finishes; what differs, and how much was compared, is printed.
#include "Vtop.h"
#include "verilated.h"

int main() {
    VerilatedContext context;
    context.randSeed(1);
    context.randReset(2);
    Vtop top(&context);
    top.clk = 0;
    top.eval();
    while (!context.gotFinish()) {
        top.clk = 1;
        top.eval();
        top.clk = 0;
        top.eval();
    }
    return 0;
}
