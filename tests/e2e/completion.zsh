# Types command lines at a zsh of its own, asks there for completions, and prints them: for each
# line what fits it, one a line, then END. Usage: zsh -f completion.zsh SCRIPT FOLDER LINE...
zmodload zsh/zpty
script=$1 fifo=$2/matches
shift 2
mkfifo $fifo
exec 3<>$fifo

cat >$fifo:h/.zshrc <<'RC'
PROMPT='' RPROMPT=''
unsetopt zle_bracketed_paste 2>/dev/null
unset zle_bracketed_paste
setopt no_beep no_auto_list no_list_beep no_auto_menu
autoload -Uz compinit && compinit -u -D
source $PUSHWIRE_SCRIPT
compadd() {
    # Those that only look, or fill an array, are the completion's own business.
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
        builtin compadd "$@"
        return
    fi
    local -a matches
    builtin compadd -A matches "$@"
    (( $#matches )) && print -rl -- $matches >$PUSHWIRE_MATCHES
    builtin compadd "$@"
}
ask() {
    zle complete-word
    print END >$PUSHWIRE_MATCHES
    zle kill-buffer
}
zle -N ask
bindkey '^I' ask
print READY >$PUSHWIRE_MATCHES
RC

export PUSHWIRE_SCRIPT=$script PUSHWIRE_MATCHES=$fifo ZDOTDIR=$fifo:h TERM=xterm
zpty shell zsh -i -d
read -r -u 3 line
for typed in "$@"; do
    zpty -w -n shell "$typed"$'\t'
    while read -r -u 3 line && [[ $line != END ]]; do
        print -r -- $line
    done
    print END
done
zpty -d shell
