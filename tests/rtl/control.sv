// The control of every actor: runs the phase list that is stored in IMAGE, one phase a clock at the most.
//
// A phase fires in the first cycle in which every input has the beats that it needs and every link that it
// gives to has a place. A link is one reader of one channel; a fork is a give with several links set.
// A word of the image, low bits first: need of each input, free of each input, give of each link, micro.
module control #(
    parameter PHASES = 1,
    parameter INPUTS = 1,
    parameter LINKS = 1,
    parameter COUNT = 16,
    parameter MICRO = 1,
    parameter IMAGE = "control.hex"
) (
    input  logic                    clk,
    input  logic                    reset,
    input  logic [INPUTS*COUNT-1:0] preset,    // beats that count as visible before the first frame
    input  logic [LINKS*COUNT-1:0]  depth,     // places of each link's channel
    input  logic [INPUTS-1:0]       arrived,   // a beat is written in this cycle
    input  logic [LINKS*COUNT-1:0]  freed,     // places that each link's reader releases in this cycle
    output logic [INPUTS*COUNT-1:0] released,  // places that this actor releases in this cycle
    output logic                    fire,
    output logic                    last,      // the phase that fires ends a frame
    output logic [LINKS-1:0]        give,
    output logic [MICRO-1:0]        micro
);
    localparam WORD = 2 * INPUTS * COUNT + LINKS + MICRO;
    localparam BITS = (PHASES > 1) ? $clog2(PHASES) : 1;
    localparam [31:0] END = PHASES - 1;

    logic [WORD-1:0] rom[0:PHASES-1];
    initial $readmemh(IMAGE, rom);

    logic [WORD-1:0] word;
    logic [BITS-1:0] phase, next;
    logic [INPUTS-1:0] enough;
    logic [LINKS-1:0] room;

    always_comb begin
        next = phase;
        if (reset) next = 0;
        else if (fire) next = last ? {BITS{1'b0}} : phase + 1'b1;
    end
    // The word is registered ahead, so that a phase's masks are flags when it may fire.
    always_ff @(posedge clk) begin
        phase <= next;
        word <= rom[next];
    end

    assign last = phase == END[BITS-1:0];
    assign fire = !reset && (&enough) && (&room);
    assign micro = word[WORD-1-:MICRO];
    assign give = fire ? word[2*INPUTS*COUNT+:LINKS] : {LINKS{1'b0}};
    assign released = fire ? word[INPUTS*COUNT+:INPUTS*COUNT] : {INPUTS * COUNT{1'b0}};

    genvar i;
    generate
        for (i = 0; i < INPUTS; i = i + 1) begin : visible
            logic [COUNT-1:0] count, need;
            assign need = word[i*COUNT+:COUNT];
            assign enough[i] = count >= need;
            always_ff @(posedge clk) begin
                if (reset) count <= preset[i*COUNT+:COUNT];
                else count <= count + {{COUNT - 1{1'b0}}, arrived[i]} - (fire ? need : {COUNT{1'b0}});
            end
        end
        for (i = 0; i < LINKS; i = i + 1) begin : credit
            logic [COUNT-1:0] count;
            assign room[i] = !word[2*INPUTS*COUNT+i] || (count != 0);
            always_ff @(posedge clk) begin
                if (reset) count <= depth[i*COUNT+:COUNT];
                else count <= count + freed[i*COUNT+:COUNT] - {{COUNT - 1{1'b0}}, give[i]};
            end
        end
    endgenerate
endmodule
