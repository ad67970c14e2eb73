// Chooses the SIMD operands of processing elements out of the held window: one register stage.
//
// Input fold k of a group reads its flattened window at k SIMD on. PE / SETS elements share a set of operands. Without
// groups there is one set and `fold` is the input fold; with groups `fold` is the whole fold.
module operands #(
    parameter KH = 1,
    parameter KW = 1,        // taps
    parameter EXTENT = 1,    // columns of the window
    parameter DILATION = 1,
    parameter CHANNELS = 1,
    parameter GROUPS = 1,
    parameter OUTPUTS = 1,   // output channels
    parameter BITS = 8,
    parameter SIGNED = 1,
    parameter SIMD = 1,
    parameter PE = 1,
    parameter SETS = 1,      // sets of operands
    parameter FOLDS = 1,     // folds that `fold` counts
    parameter FOLD = 1       // bits of a fold
) (
    input  logic                                clk,
    input  logic [FOLD-1:0]                     fold,
    input  logic [KH*EXTENT*CHANNELS*BITS-1:0]  held,
    output logic [SETS*SIMD*(BITS+1)-1:0]       chosen
);
    localparam INSIDE = CHANNELS / GROUPS;
    localparam FLAT = KH * KW * INSIDE;
    localparam SF = (FLAT + SIMD - 1) / SIMD;

    genvar q, i, f;
    generate
        for (q = 0; q < SETS; q = q + 1) begin : set
            for (i = 0; i < SIMD; i = i + 1) begin : lane
                logic [FOLDS*BITS-1:0] choices;
                logic [BITS-1:0] choice;
                logic [BITS:0] operand;
                for (f = 0; f < FOLDS; f = f + 1) begin : at
                    localparam FLATTENED = (f % SF) * SIMD + i;
                    localparam OUT = (f / SF) * PE + q * (PE / SETS);
                    localparam GROUP = (OUT < OUTPUTS) ? OUT / (OUTPUTS / GROUPS) : 0;
                    localparam TAP = FLATTENED / INSIDE;
                    localparam COLUMN = (TAP / KW) * EXTENT + (TAP % KW) * DILATION;
                    localparam PLACE = COLUMN * CHANNELS + GROUP * INSIDE + FLATTENED % INSIDE;
                    if (FLATTENED < FLAT) begin : real_input
                        assign choices[f*BITS+:BITS] = held[PLACE*BITS+:BITS];
                    end else begin : filler
                        assign choices[f*BITS+:BITS] = {BITS{1'b0}};
                    end
                end
                choose #(.N(FOLDS), .WIDTH(BITS), .SELECT(FOLD)) of_fold (.words(choices), .select(fold), .word(choice));
                always_ff @(posedge clk) operand <= {SIGNED != 0 && choice[BITS-1], choice};
                assign chosen[(q*SIMD+i)*(BITS+1)+:BITS+1] = operand;
            end
        end
    endgenerate
endmodule
