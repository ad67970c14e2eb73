// Runs a generated top: reads one run from the file of the first argument, writes what it saw to the second.
//
// All numbers are little-endian 32 bit words.
// In:  settings (64), seed, frames' beats, words a beat, the beats, beats awaited, cycles without any phase or
//      handshake after which the run is given up, length of the pattern, the pattern: bit 0 the feeder is willing,
//      bit 1 the taker is ready; after its end both are.
// Out: cycles; for each of 32 actors: count, start cycles; for each of 32 wires: count, beats written, of 8 words;
//      count of beats that left, each with its cycle ahead.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>
#include "Vtop.h"
#include "verilated.h"

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    std::vector<uint32_t> in;
    FILE* file = fopen(argv[1], "rb");
    if (!file) return 2;
    uint32_t word;
    while (fread(&word, 4, 1, file) == 1) in.push_back(word);
    fclose(file);
    size_t at = 0;
    auto next = [&]() { return at < in.size() ? in[at++] : 0u; };

    VerilatedContext context;
    const uint32_t* settings = in.data();
    at = 64;
    context.randSeed(int(next() & 0x7fffffff) | 1);
    context.randReset(2);
    Vtop top(&context);

    const uint32_t beats = next(), width = next();
    const uint32_t* data = in.data() + at;
    at += size_t(beats) * width;
    const uint32_t awaited = next(), patience = next(), length = next();
    const uint32_t* pattern = in.data() + at;

    std::vector<std::vector<uint32_t>> starts(32);
    std::vector<std::vector<uint32_t>> wires(32);
    std::vector<uint32_t> out;
    uint32_t seen = 0, fed = 0, quiet = 0;
    bool offered = false;
    for (int i = 0; i < 32; i++) top.settings[i] = settings[2 * i] | settings[2 * i + 1] << 16;
    for (int i = 0; i < 8; i++) top.in_data[i] = 0;
    top.clk = 0;
    top.reset = 1;
    top.in_valid = 0;
    top.out_ready = 0;
    auto clock = [&]() {
        top.clk = 1;
        top.eval();
        top.clk = 0;
        top.eval();
    };
    top.eval();
    // Reset is held until every pipeline has run empty of its random contents.
    for (int i = 0; i < 40; i++) clock();
    top.reset = 0;

    uint32_t cycle = 0;
    for (; seen < awaited && quiet < patience; cycle++) {
        const uint32_t now = cycle < length ? pattern[cycle] : 3;
        if (fed < beats && (now & 1)) offered = true;
        top.in_valid = offered;
        for (uint32_t i = 0; offered && i < width; i++) top.in_data[i] = data[size_t(fed) * width + i];
        top.out_ready = (now >> 1) & 1;
        top.eval();
        quiet++;
        for (int a = 0; a < 32; a++)
            if (top.fire >> a & 1) {
                starts[a].push_back(cycle);
                quiet = 0;
            }
        for (int w = 0; w < 32; w++)
            if (top.written >> w & 1)
                for (int i = 0; i < 8; i++) wires[w].push_back(top.beats[w * 8 + i]);
        if (offered && top.in_ready) {
            fed++;
            offered = false;
            quiet = 0;
        }
        if (top.out_valid && top.out_ready) {
            out.push_back(cycle);
            for (int i = 0; i < 8; i++) out.push_back(top.out_data[i]);
            seen++;
            quiet = 0;
        }
        clock();
    }

    file = fopen(argv[2], "wb");
    if (!file) return 2;
    auto put = [&](uint32_t value) { fwrite(&value, 4, 1, file); };
    put(cycle);
    for (auto& list : starts) {
        put(uint32_t(list.size()));
        for (uint32_t start : list) put(start);
    }
    for (auto& beats : wires) {
        put(uint32_t(beats.size() / 8));
        for (uint32_t word : beats) put(word);
    }
    put(seen);
    for (uint32_t value : out) put(value);
    fclose(file);
    return 0;
}
