// Partial results of one slot of a pool: WORDS words of LANES numbers, each folded in place, by sum or (where LARGEST)
// by the larger number.
//
// The address of cycle c is folded in cycle c + 1 with the numbers of that cycle, and may come again from cycle c + 2
// on; a single word may come in every cycle. Where LATER, words are read as well while nothing is folded, or at any time
// where APART: the address of cycle c gives what was folded before cycle c in cycle c + 1.
module partial #(
    parameter LANES = 1,
    parameter IN = 8,        // bits of a number that is folded
    parameter KEPT = 8,      // bits of a partial result, at least IN
    parameter NEGATIVE = 0,  // whether numbers have a sign
    parameter LARGEST = 0,
    parameter FOLDS = 1,     // 0 where every number is its result's first and last
    parameter WORDS = 1,
    parameter ADDRESS = 1,
    parameter LATER = 0,
    parameter APART = 0,
    parameter STYLE = "auto"  // what synthesis makes it of
) (
    input  logic                  clk,
    input  logic [ADDRESS-1:0]    address,
    input  logic                  folds,    // the address is folded
    input  logic                  update,   // that of the cycle before is folded now
    input  logic                  first,    // with nothing before it
    input  logic [LANES*IN-1:0]   numbers,
    output logic [LANES*KEPT-1:0] folded,
    input  logic [ADDRESS-1:0]    later_address,
    output logic [LANES*KEPT-1:0] later
);
    logic [LANES*KEPT-1:0] word;
    generate
        if (WORDS == 1) begin : one
            logic [LANES*KEPT-1:0] kept, last;
            always_ff @(posedge clk) begin
                if (update) kept <= folded;
                last <= kept;
            end
            assign word = kept;
            assign later = last;
        end else begin : many
            (* ram_style = STYLE *) logic [LANES*KEPT-1:0] memory[0:WORDS-1];
            logic [ADDRESS-1:0] place, read_place;
            assign read_place = (LATER == 0 || APART != 0 || folds) ? address : later_address;
            always_ff @(posedge clk) begin
                place <= address;
                if (update) memory[place] <= folded;
                word <= memory[read_place];
            end
            if (LATER != 0 && APART != 0) begin : apart
                logic [LANES*KEPT-1:0] beside;
                always_ff @(posedge clk) beside <= memory[later_address];
                assign later = beside;
            end else begin : shared
                assign later = word;
            end
        end
    endgenerate

    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : lane
            logic signed [KEPT:0] number, so_far, result;
            assign number = {{KEPT + 1 - IN{NEGATIVE != 0 && numbers[i*IN+IN-1]}}, numbers[i*IN+:IN]};
            assign so_far = {NEGATIVE != 0 && word[i*KEPT+KEPT-1], word[i*KEPT+:KEPT]};
            if (FOLDS == 0) begin : alone
                assign result = number;
            end else if (LARGEST != 0) begin : larger
                assign result = (first || number > so_far) ? number : so_far;
            end else begin : summed
                assign result = first ? number : number + so_far;
            end
            assign folded[i*KEPT+:KEPT] = result[KEPT-1:0];
        end
    endgenerate
endmodule
