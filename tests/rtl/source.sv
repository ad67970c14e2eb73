// The frames' way in: an AXI4-Stream pin with two places behind it, and the actor that gives their beats.
// No register lies between a phase's start and the write port: p = 0.
module source #(
    parameter WIDTH = 8,
    parameter LINKS = 1,
    parameter COUNT = 16,
    parameter PHASES = 1,
    parameter IMAGE = "source.hex"
) (
    input  logic                   clk,
    input  logic                   reset,
    input  logic                   valid,
    output logic                   ready,
    input  logic [WIDTH-1:0]       data,
    input  logic [LINKS*COUNT-1:0] depth,
    input  logic [LINKS*COUNT-1:0] freed,
    output logic                   fire,
    output logic                   write,
    output logic [WIDTH-1:0]       write_data
);
    logic [WIDTH-1:0] places[0:1];
    logic head, tail, taken;
    logic [1:0] credit;
    logic [COUNT-1:0] released;
    logic [LINKS-1:0] give;

    assign ready = !reset && credit != 0;
    assign taken = valid && ready;
    assign write = |give;
    assign write_data = places[tail];

    always_ff @(posedge clk) begin
        if (reset) begin
            head <= 0;
            tail <= 0;
            credit <= 2;
        end else begin
            if (taken) head <= !head;
            if (released[0]) tail <= !tail;
            credit <= credit - {1'b0, taken} + {1'b0, released[0]};
        end
        if (taken) places[head] <= data;
    end

    control #(.PHASES(PHASES), .INPUTS(1), .LINKS(LINKS), .COUNT(COUNT), .MICRO(1), .IMAGE(IMAGE)) phases (
        .clk(clk), .reset(reset), .preset({COUNT{1'b0}}), .depth(depth), .arrived(taken), .freed(freed),
        .released(released), .fire(fire), .last(), .give(give), .micro()
    );
endmodule
