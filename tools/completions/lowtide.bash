# shellcheck shell=bash
# lowtide's completion for bash, with the functions of bash-completion. The installed command says what there is, not
# the one on the line: in a source tree that is a script, which would build first.
_lowtide() {
    local cur words cword
    _get_comp_words_by_ref -n := cur words cword
    COMPREPLY=()
    local line
    while IFS= read -r line; do
        case $line in
        ':program '*)
            _command_offset $((${line#:program } + 1))
            return
            ;;
        :files)
            [[ $cur != --*=* ]] || cur=${cur#*=}
            _filedir
            return
            ;;
        *) COMPREPLY+=("${line%%$'\t'*}") ;;
        esac
    done < <(command lowtide --complete "${words[@]:1:cword}" 2>/dev/null)
    [[ ${COMPREPLY[*]} != *: ]] || compopt -o nospace
    # readline replaces only what is behind the last of these, where it cuts words at them.
    local cuts=${COMP_WORDBREAKS//[!:=]/}
    [[ -z $cuts ]] || COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*["$cuts"]}"}"}")
} && complete -F _lowtide lowtide
