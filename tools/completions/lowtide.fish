# lowtide's completion for fish: the installed command says what there is.
function __lowtide_candidates
    set -l words (commandline -opc) (commandline -ct)
    set -l last $words[-1]
    for line in (command lowtide --complete $words[2..] 2>/dev/null)
        switch $line
            case ':program *'
                set -l first (math (string replace ':program ' '' -- $line) + 2)
                complete -C (string join ' ' -- (string escape -- $words[$first..-2]) $last)
            case :files
                set -l option (string match -r -- '^--[^=]*=' $last)
                set -l file (string replace -r -- '^--[^=]*=' '' $last)
                printf '%s\n' $option(__fish_complete_path $file)
            case '*'
                echo $line
        end
    end
end
complete -c lowtide -f -a '(__lowtide_candidates)'
