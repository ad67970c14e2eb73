// One of N words. Each begins at a power of two, so that selecting is no multiplication by their width.
module choose #(
    parameter N = 1,
    parameter WIDTH = 8,
    parameter SELECT = 1
) (
    input  logic [N*WIDTH-1:0] words,
    input  logic [SELECT-1:0]  select,
    output logic [WIDTH-1:0]   word
);
    localparam ROOM = (WIDTH > 1) ? 1 << $clog2(WIDTH) : 1;
    genvar i;
    generate
        if (N == 1) begin : only
            assign word = words;
        end else begin : several
            logic [N*ROOM-1:0] spaced;
            for (i = 0; i < N; i = i + 1) begin : at
                assign spaced[i*ROOM+:WIDTH] = words[i*WIDTH+:WIDTH];
                if (ROOM > WIDTH) begin : filler
                    assign spaced[i*ROOM+WIDTH+:ROOM-WIDTH] = {ROOM - WIDTH{1'b0}};
                end
            end
            assign word = spaced[select*ROOM+:WIDTH];
        end
    endgenerate
endmodule
