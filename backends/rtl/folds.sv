// Numbers the phases of computing: PARTS input folds in each of FOLDS output folds (or, where OUTSIDE, all output folds
// in each input fold), then again. What a phase of cycle t is comes in t + 1.
module folds #(
    parameter PARTS = 1,
    parameter PART = 1,    // bits of an input fold
    parameter FOLDS = 1,
    parameter FOLD = 1,    // bits of an output fold
    parameter WORD = 1,    // bits of PARTS x FOLDS
    parameter OUTSIDE = 0
) (
    input  logic            clk,
    input  logic            reset,
    input  logic            compute,
    output logic            computed,
    output logic            first,   // the output fold's first phase
    output logic            ended,   // its last one
    output logic [PART-1:0] part,
    output logic [FOLD-1:0] fold,
    output logic [WORD-1:0] word,
    output logic [WORD-1:0] next_word  // of the phase of this cycle
);
    localparam [31:0] LAST_PART = PARTS - 1;
    localparam [31:0] LAST_FOLD = FOLDS - 1;
    logic [PART-1:0] next_part;
    logic [FOLD-1:0] next_fold;
    logic part_ends, fold_ends;
    assign part_ends = next_part == LAST_PART[PART-1:0];
    assign fold_ends = next_fold == LAST_FOLD[FOLD-1:0];
    always_ff @(posedge clk) begin
        computed <= compute;
        first <= next_part == {PART{1'b0}};
        ended <= compute && part_ends;
        part <= next_part;
        fold <= next_fold;
        word <= next_word;
        if (reset) begin
            next_part <= {PART{1'b0}};
            next_fold <= {FOLD{1'b0}};
            next_word <= {WORD{1'b0}};
        end else if (compute) begin
            if (OUTSIDE != 0 ? fold_ends : part_ends) begin
                if (OUTSIDE != 0) next_fold <= {FOLD{1'b0}};
                else next_part <= {PART{1'b0}};
                if (OUTSIDE != 0 ? part_ends : fold_ends) begin
                    next_part <= {PART{1'b0}};
                    next_fold <= {FOLD{1'b0}};
                end else if (OUTSIDE != 0) next_part <= next_part + 1'b1;
                else next_fold <= next_fold + 1'b1;
            end else if (OUTSIDE != 0) next_fold <= next_fold + 1'b1;
            else next_part <= next_part + 1'b1;
            next_word <= (part_ends && fold_ends) ? {WORD{1'b0}} : next_word + 1'b1;
        end
    end
endmodule
