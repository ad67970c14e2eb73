// The frames' way out: the actor that takes the beats, and an AXI4-Stream pin with four places before it.
// The memory's read register is the only one: p = 1.
module sink #(
    parameter WIDTH = 8,
    parameter COUNT = 16,
    parameter BANKS = 1,
    parameter ROW = 1,
    parameter ADDRESS = 1,
    parameter PHASES = 1,
    parameter IMAGE = "sink.hex"
) (
    input  logic                     clk,
    input  logic                     reset,
    input  logic                     arrived,
    output logic [COUNT-1:0]         released,
    output logic [BANKS*ADDRESS-1:0] read_address,
    input  logic [BANKS*WIDTH-1:0]   read_data,
    output logic                     fire,
    output logic                     valid,
    input  logic                     ready,
    output logic [WIDTH-1:0]         data
);
    localparam [COUNT-1:0] PLACES = 4;

    logic [WIDTH-1:0] places[0:3];
    logic [WIDTH-1:0] beat;
    logic [1:0] head, tail;
    logic [2:0] held;
    logic give, given, gone;

    assign valid = held != 0;
    assign gone = valid && ready;
    assign data = places[tail];

    always_ff @(posedge clk) begin
        if (reset) begin
            head <= 0;
            tail <= 0;
            held <= 0;
            given <= 0;
        end else begin
            given <= give;
            if (given) head <= head + 2'd1;
            if (gone) tail <= tail + 2'd1;
            held <= held + {2'b0, given} - {2'b0, gone};
        end
        if (given) places[head] <= beat;
    end

    taking #(.WIDTH(WIDTH), .BANKS(BANKS), .ROW(ROW), .ADDRESS(ADDRESS)) reading (
        .clk(clk), .reset(reset), .take(fire), .read_address(read_address), .read_data(read_data), .beat(beat)
    );
    control #(.PHASES(PHASES), .INPUTS(1), .LINKS(1), .COUNT(COUNT), .MICRO(1), .IMAGE(IMAGE)) phases (
        .clk(clk), .reset(reset), .preset({COUNT{1'b0}}), .depth(PLACES), .arrived(arrived),
        .freed({{COUNT - 1{1'b0}}, gone}), .released(released), .fire(fire), .last(), .give(give), .micro()
    );
endmodule
