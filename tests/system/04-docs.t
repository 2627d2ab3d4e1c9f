#!/bin/bash
# What the pages name is there: files, links between pages, targets and variables of make.
. "$(dirname "$0")/../lib/tap.sh"
cd "$top" || exit

# missing_files PAGE - paths in backticks, with wildcards or braces at most, that match nothing; what a page has its
# reader make lies in docs/example
missing_files() {
    local path
    grep -oE '`(boot|docs|guest|hv|include|tests|tools)/[A-Za-z0-9_./*{},-]*`' "$1" | tr -d '`' | sort -u |
        while read -r path; do
            [ ! -e "docs/example/${path##*/}" ] || continue
            bash -c "shopt -s nullglob; for f in $path; do [ ! -e \"\$f\" ] || exit 0; done; exit 1" || echo "$path"
        done
}

missing_links() {                       # missing_links PAGE - relative links that lead nowhere
    local link
    grep -oE '\]\([^):#]+' "$1" | sed 's/^](//' | sort -u |
        while read -r link; do [ -e "$(dirname "$1")/$link" ] || echo "$link"; done
}

targets=$(make -s help | sed -n 's/^  \([a-z-]*\) .*/\1/p')
missing_targets() {                     # missing_targets PAGE - make TARGET in code
    local target
    grep -oE '(`|^    |^\$ )make [a-z-]+' "$1" | sed 's/.*make //' | sort -u |
        while read -r target; do grep -qx "$target" <<<"$targets" || echo "$target"; done
}

for page in README.md docs/*.md; do
    is "$(missing_files "$page")$(missing_links "$page")$(missing_targets "$page")" '' "$page names what is there"
done

# reading - lines said, lines there, of each row of README's reading path; a name alone is in the folder of the one before
reading() {
    local said files file folder=
    while IFS='|' read -r _ said files _; do
        local there=0
        for file in $(tr -d '`,' <<<"$files"); do
            [[ $file != */* ]] || folder=${file%/*}
            there=$((there + $(wc -l <"$folder/${file##*/}")))
        done
        echo "$((said)) $there"
    done < <(grep '^| *[0-9][0-9]* | `' README.md)
}
is "$(reading | awk '$2 < $1 * 0.9 || $2 > $1 * 1.1')" '' "the reading path's lines are so many, to a tenth"
is "$(reading | awk '{ n += $2 } END { print (n > 0 && n <= 2500 ? "ok" : n) }')" ok 'the reading path is 2,500 lines at most'

# given - the variables that make help and the pages give to make
given() {
    make -s help | sed '1,/^Variables/d' | grep -oE '\<[A-Z_]+(=|  )'
    grep -hoE '(^    |`)make [^`#]*' README.md docs/*.md | grep -oE '\<[A-Z_]+='
}
is "$(given | tr -d ' =' | sort -u | grep -vx CC | sed 's/$/=1/' | xargs make -n help 2>&1 | grep -o 'unknown variable.*')" '' \
    'make knows the variables that the pages name'
is "$(grep -hv 'BOCHS=' README.md docs/*.md | grep -ohE '\<CPU=[a-z0-9_]+' | sed 's/CPU=//' | sort -u |
    grep -vxFf <("${BOCHS:-bochs-bin}" --help cpu 2>&1))" '' 'Bochs has the models of CPU that the pages name'
is "$(make -s help | awk 'length > 80')" '' "make help fits into a terminal's 80 columns"

# The entries of the stick's menu that docs/your-pc.md has its reader choose, and what they start; its lines for GRUB's menu.
while IFS='|' read -r entry words; do
    like "\`$entry" "docs/your-pc.md names the entry '$entry'" docs/your-pc.md
    is "$(sed -n "/^menuentry '$entry/,/^}/s|^ *multiboot2 /boot/tally.elf ||p" tools/grub.cfg)" "$words" "... which the menu has"
done <<'END'
The system on this machine, counted|boot=next exits=kvm
last: what the run before the reset has counted|last
caps|caps exits=all
END
sed -n '/^    search /,/^$/p' docs/your-pc.md >"$scratch/40_custom"
is "$(grep -c '^    menuentry' "$scratch/40_custom")" 2 'docs/your-pc.md has two entries for 40_custom'
grub-script-check "$scratch/40_custom" && grub-script-check tools/grub.cfg
ok $? 'GRUB can read them, and the menu'

printf '`hv/none.c` and [a page](none.md) and `make coffee`\n' >"$scratch/page.md"
is "$(missing_files "$scratch/page.md") $(missing_links "$scratch/page.md") $(missing_targets "$scratch/page.md")" \
    'hv/none.c none.md coffee' 'what is missing is found'
done_testing
