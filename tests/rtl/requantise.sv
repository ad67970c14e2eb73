// One number: clamp((acc m + skip m' + offset) >> SHIFT). The offset holds the rounding half and the zero points.
// Scale, sum (only where ADD) and rounding: 2 + ADD stages.
module requantise #(
    parameter ACC = 32,
    parameter MULTIPLIER = 16,
    parameter OFFSET = 48,
    parameter SHIFT = 8,
    parameter BITS = 8,
    parameter ADD = 0,
    parameter SKIP = 9,
    parameter signed [31:0] LOW = 0,
    parameter signed [31:0] HIGH = 255
) (
    input  logic                         clk,
    input  logic signed [ACC-1:0]        acc,
    input  logic signed [MULTIPLIER-1:0] multiplier,
    input  logic signed [OFFSET-1:0]     offset,
    input  logic signed [SKIP-1:0]       skip,
    input  logic signed [MULTIPLIER-1:0] skip_multiplier,
    output logic [BITS-1:0]              rounded
);
    logic signed [31:0] low, high;
    assign low = LOW;
    assign high = HIGH;

    logic signed [OFFSET-1:0] scaled, total, shifted;
    always_ff @(posedge clk) scaled <= acc * multiplier + offset;
    generate
        if (ADD != 0) begin : add
            logic signed [OFFSET-1:0] other;
            always_ff @(posedge clk) begin
                other <= skip * skip_multiplier;
                total <= scaled + other;
            end
        end else begin : alone
            assign total = scaled;
        end
    endgenerate
    assign shifted = total >>> SHIFT;
    always_ff @(posedge clk) begin
        if (shifted < $signed({{OFFSET - 32{low[31]}}, low})) rounded <= LOW[BITS-1:0];
        else if (shifted > $signed({{OFFSET - 32{high[31]}}, high})) rounded <= HIGH[BITS-1:0];
        else rounded <= shifted[BITS-1:0];
    end
endmodule
