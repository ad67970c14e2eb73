// Runs a design in Verilator: reads one run from the file of the first argument, writes what it saw to the second.
//
// All numbers are little-endian 32 bit words.
// In:  seed, cycle at which the design is reset for one cycle (or all ones), cycles without any phase or handshake after
//      which the run is given up; for each input pin: beats, beats a frame, the beat whose TLAST is turned over the first
//      time it is taken (or all ones), words a beat, the beats; for each output pin: beats awaited; length of the pattern, the pattern: bit 0 the feeders are willing, bit 1 the takers are; after its
//      end all are. A reset drops what came out, and the inputs begin anew.
// Out: cycles behind reset; count of changes of `frame_error`, which is low at first, and their cycles; for each actor: count, start cycles; for each output pin: beats, words a beat,
//      the beats, each with its cycle and TLAST ahead.
#include <cstdint>
#include <cstdio>
#include <vector>
#include "Vnonresc_top.h"
#include "Vnonresc_top___024root.h"
#include "verilated.h"

static void put(CData& to, const uint32_t* from, uint32_t) { to = CData(from[0]); }
static void put(SData& to, const uint32_t* from, uint32_t) { to = SData(from[0]); }
static void put(IData& to, const uint32_t* from, uint32_t) { to = from[0]; }
static void put(QData& to, const uint32_t* from, uint32_t n) { to = from[0] | QData(n > 1 ? from[1] : 0) << 32; }
template <std::size_t N> static void put(VlWide<N>& to, const uint32_t* from, uint32_t n) {
    for (uint32_t i = 0; i < N; i++) to[i] = i < n ? from[i] : 0;
}
static void get(CData from, std::vector<uint32_t>& to) { to.push_back(from); }
static void get(SData from, std::vector<uint32_t>& to) { to.push_back(from); }
static void get(IData from, std::vector<uint32_t>& to) { to.push_back(from); }
static void get(QData from, std::vector<uint32_t>& to) {
    to.push_back(uint32_t(from));
    to.push_back(uint32_t(from >> 32));
}
template <std::size_t N> static void get(const VlWide<N>& from, std::vector<uint32_t>& to) {
    for (std::size_t i = 0; i < N; i++) to.push_back(from[i]);
}

struct Feed {
    uint32_t beats, frame, turned, words, fed = 0;
    const uint32_t* data;
    bool offered = false;
};
struct Taken {
    uint32_t awaited, beats = 0;
    std::vector<uint32_t> data;
};

#include "pins.h"

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    std::vector<uint32_t> in;
    FILE* file = fopen(argv[1], "rb");
    if (!file) return 2;
    uint32_t word;
    while (fread(&word, 4, 1, file) == 1) in.push_back(word);
    fclose(file);
    std::size_t at = 0;
    auto next = [&]() { return at < in.size() ? in[at++] : 0u; };

    VerilatedContext context;
    context.randSeed(int(next() & 0x7fffffff) | 1);
    context.randReset(2);
    Vnonresc_top top(&context);
    const uint32_t reset_at = next(), patience = next();
    std::vector<Feed> feeds(INPUTS);
    for (auto& feed : feeds) {
        feed.beats = next();
        feed.frame = next();
        feed.turned = next();
        feed.words = next();
        feed.data = in.data() + at;
        at += std::size_t(feed.beats) * feed.words;
    }
    std::vector<Taken> taken(OUTPUTS);
    for (auto& pin : taken) pin.awaited = next();
    const uint32_t length = next();
    const uint32_t* pattern = in.data() + at;

    std::vector<std::vector<uint32_t>> starts(ACTORS);
    std::vector<uint32_t> errors;
    bool error = false;
    auto clock = [&]() {
        top.aclk = 1;
        top.eval();
        top.aclk = 0;
        top.eval();
    };
    top.aclk = 0;
    top.aresetn = 0;
    idle(top);
    top.eval();
    for (int i = 0; i < 3; i++) clock();
    top.aresetn = 1;

    uint32_t cycle = 0, quiet = 0;
    auto awaited = [&]() {
        for (auto& pin : taken)
            if (pin.beats < pin.awaited) return true;
        return false;
    };
    for (; awaited() && quiet < patience; cycle++) {
        top.aresetn = cycle != reset_at;
        // What is on its way to the pins comes for one more cycle.
        if (cycle >= reset_at && cycle - reset_at < 3) {
            for (auto& feed : feeds) feed.fed = 0, feed.offered = false;
            for (auto& pin : taken) pin.beats = 0, pin.data.clear();
            for (auto& list : starts) list.clear();
            errors.clear(), error = false;
        }
        const uint32_t now = cycle < length ? pattern[cycle] : 3;
        for (auto& feed : feeds)
            if (feed.fed < feed.beats && (now & 1) && cycle != reset_at) feed.offered = true;
        offer(top, feeds, (now >> 1) & 1);
        top.eval();
        if (bool(top.frame_error) != error) errors.push_back(cycle), error = !error;
        quiet++;
        if (observe(top, starts, feeds, taken, cycle)) quiet = 0;
        clock();
    }

    file = fopen(argv[2], "wb");
    if (!file) return 2;
    auto write = [&](uint32_t value) { fwrite(&value, 4, 1, file); };
    write(cycle);
    write(uint32_t(errors.size()));
    fwrite(errors.data(), 4, errors.size(), file);
    for (auto& list : starts) {
        write(uint32_t(list.size()));
        fwrite(list.data(), 4, list.size(), file);
    }
    for (auto& pin : taken) {
        write(pin.beats);
        write(pin.beats ? uint32_t(pin.data.size() / pin.beats) - 2 : 0);
        fwrite(pin.data.data(), 4, pin.data.size(), file);
    }
    return fclose(file) ? 2 : 0;
}
