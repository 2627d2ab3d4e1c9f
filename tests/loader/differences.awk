# What the same kernel printed under GRUB (first file) and under Tally (second): prints where they differ, status 1, but
# for what is meant to differ. That is all of this list:
#
# 1. EFLAGS: GRUB leaves the status flags of its last sum, Tally clears them.
# 2. CR0.CD and CR0.NW: GRUB leaves them as Bochs' BIOS set them, Tally's guest starts with caches on.
# 3. Where the information lies: GRUB puts version 2's anywhere, Tally in low memory while it has room.
# 4. The memory map: Tally's own memory, one block in whole 2 MiB, and the page from which INT 15H is answered are
#    reserved; the sizes of lower and upper memory are those of this map.
# 5. The words of a refusal: it counts that both refuse.
# 6. A video mode that the header asks for: GRUB sets one, under Tally the screen stays as it is, and a line says so.
# 7. The reserved word of a module in version 1: GRUB leaves in it what it finds.
#
# And these kinds of kernels, of which shapes has none. Only Tally takes: files with SHT_REL sections and a header of version
# 2; the EFI32 entry tag; ELF files of 32 bits for the x86-64; an entry point by its physical address; program headers behind
# the first 8 or 32 KiB. GRUB alone dies with a section that no segment loads and whose alignment is 0, if it is larger than a
# few bytes: it loads it at 0, over the BIOS's vectors; and with a version 2 header that asks for video, where the screen has a
# palette as in Bochs: GRUB 2.06 makes no room for it. Of a SHT_NOBITS section that no segment loads GRUB loads what the file
# happens to have there. Only GRUB takes: kernels in memory that is not there, or where Tally is.

function hex(text, i, n) {
    n = 0
    for (i = 1; i <= length(text); i++)
        n = n * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
    return n
}

function bytes(text, at) {                   # four bytes, the lowest first
    return hex(substr(text, at + 6, 2) substr(text, at + 4, 2) substr(text, at + 2, 2) substr(text, at, 2))
}

# What tells of the screen is compared by itself: the lines of version 1, and those of tags 7 and 8.
function add(line) {
    if (line ~ /^tag /)
        screen = line ~ /^tag 0000000[78]/
    if (screen || line ~ /^(vbe|framebuffer):/)
        screens[side] = screens[side] line "\n"
    else
        text[side, ++lines[side]] = line
}

FNR == 1 { side++; screen = 0 }

/^tally: the guest's header asks for a video mode/ { asked = 1; next }
/^reserved: / { add($1 " " (side == 1 ? "00000000" : $2)); next }

/^range: / {
    n = ++ranges[side]
    base[side, n] = hex($2) * 4294967296 + hex($3)
    size[side, n] = hex($4) * 4294967296 + hex($5)
    type[side, n] = hex($6)
    next
}

/^eflags cr0 cr4: / { add("cr0 cr4: " (substr($5, 1, 1) == "6" ? "0" substr($5, 2) : $5) " " $6); next }
/^information below 1 MiB/ { add("information aligned: " $NF); next }
/^mem_lower: / { lower[side] = hex($2); next }
/^mem_upper: / { upper[side] = hex($2); next }
/^tag 00000004/ { sizes = 1; add($0); next }
sizes { lower[side] = bytes($2, 1); upper[side] = bytes($2, 9); sizes = 0; next }
/^tally: error: guest: / { add("refused"); next }
{ add($0) }

# The type of the memory at an address.
function type_at(side, address, i) {
    for (i = 1; i <= ranges[side]; i++)
        if (address >= base[side, i] && address < base[side, i] + size[side, i])
            return type[side, i]
    return 0
}

function complain(words) { print words; wrong = 1 }

function check_sizes(side, i) {
    for (i = 1; i <= ranges[side]; i++)
        if (type[side, i] == 1 && base[side, i] == 0 && lower[side] != int(size[side, i] / 1024))
            complain("lower memory is " lower[side] " KiB, by the map " size[side, i] / 1024)
        else if (type[side, i] == 1 && base[side, i] == 1048576 && upper[side] != int(size[side, i] / 1024))
            complain("upper memory is " upper[side] " KiB, by the map " size[side, i] / 1024)
}

# Pieces of the map between two edges of either: RAM for GRUB, reserved for Tally, or the same.
function check_maps(i, side, n, j, edge, t) {
    for (side = 1; side <= 2; side++)
        for (i = 1; i <= ranges[side]; i++) {
            edge[++n] = base[side, i]
            edge[++n] = base[side, i] + size[side, i]
        }
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && edge[j - 1] > edge[j]; j--) {
            t = edge[j]; edge[j] = edge[j - 1]; edge[j - 1] = t
        }
    for (i = 1; i < n; i++) {
        if (edge[i] == edge[i + 1] || type_at(1, edge[i]) == type_at(2, edge[i]))
            continue
        if (type_at(1, edge[i]) != 1 || type_at(2, edge[i]) != 2)
            complain(sprintf("memory at %x: type %d, with Tally %d", edge[i], type_at(1, edge[i]), type_at(2, edge[i])))
        else if (edge[i] < 1048576)
            low += edge[i + 1] - edge[i]
        else {
            high += edge[i + 1] - edge[i]
            blocks++
        }
    }
    if (ranges[1] && (low != 4096 || blocks != 1 || high % 2097152))
        complain(sprintf("taken from the map: %d bytes below 1 MiB, %d in %d pieces above", low, high, blocks))
}

END {
    if (screens[1] != screens[2] && !asked)
        complain("GRUB:  " screens[1] "Tally: " screens[2])
    for (i = 1; i <= lines[1] || i <= lines[2]; i++)
        if (text[1, i] != text[2, i])
            complain("GRUB:  " text[1, i] "\nTally: " text[2, i])
    if (side != 2 || !lines[1])
        complain("nothing was printed")
    check_sizes(1)
    check_sizes(2)
    check_maps()
    exit wrong
}
