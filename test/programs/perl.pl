# The script of the Perl test. Prints one line for each part, made of counts and checksums.
use strict;
use warnings;
use Config;
use Digest::MD5 qw(md5_hex);

sub say_sum { my ($name, @parts) = @_; print "$name ", scalar(@parts), ' ', md5_hex(join "\0", @parts), "\n" }

# A repeatable sequence of numbers.
my $state = 12345;
sub next_number { $state = ($state * 1103515245 + 12345) % 2147483648; return $state >> 8 }

sub big_hashes {
    my (%flat, %nested);
    for my $i (1 .. 150_000) {
        my $key = sprintf '%x-%d', $i * 2654435761 % 4294967296, $i % 700;
        $flat{$key} = 'v' x ($i % 200);
        push @{ $nested{ $i % 1000 }{ substr $key, 0, 2 } }, [$i, $key];
        delete $flat{$key} if $i % 3 == 0;
    }
    say_sum('hash order', keys %flat);
    say_sum('hash values', map { length $flat{$_} } sort keys %flat);
    say_sum('nested', map { my $h = $nested{$_}; map { "$_:" . @{ $h->{$_} } } sort keys %$h } sort keys %nested);
}

sub expressions {
    my $text = join ' ', map { sprintf '%s=%d;', join('', map { chr 97 + next_number() % 26 } 1 .. 8), next_number() % 9999 }
        1 .. 40_000;
    my @pairs = $text =~ /([a-m]\w+)=(\d{2,3});/g;
    (my $swapped = $text) =~ s/(\w+)=(\d+);/$2<-$1/g;
    (my $evaluated = substr $text, 0, 200_000) =~ s/(\d+)/sprintf '%o', $1 * 3/ge;
    my @named = map { /^(?<vowels>[aeiou]{2,})(?<rest>.*)$/ ? "$+{vowels}|$+{rest}" : () } split / /, $text;
    say_sum('pairs', @pairs);
    say_sum('swapped', $swapped, $evaluated);
    say_sum('named', @named);
    say_sum('split', sort { $b cmp $a } split /[=; ]+/, $text);
    my $deep = '(' x 3000 . ')' x 3000;
    say_sum('recursive', $deep =~ /^(\((?1)*\))$/ ? length $1 : 'no');
}

sub strings {
    my $grown = '';
    $grown .= chr(65 + $_ % 26) x ($_ % 37) for 1 .. 60_000;
    my @blocks = map { substr $grown, $_ * 1000, 5000 + $_ * 7 } 0 .. 900;
    say_sum('grown', $grown, @blocks);
    say_sum('packed', unpack '(A7 N)*', pack '(A7 N)*', map { ("k$_", $_) } 1 .. 30_000);
    my $large = 'x' x 40_000_000;
    substr $large, 20_000_000, 5, 'tide';
    say_sum('large', length $large, index $large, 'tide');
}

# Each child builds its own data on top of what it inherited and sends a digest home.
sub forks {
    my %inherited = map { $_ => "value $_" } 1 .. 20_000;
    my @answers;
    for my $round (1 .. 3) {
        my @pipes = map {
            my $child = $_;
            my $pid = open(my $pipe, '-|') // die "fork: $!";
            if ($pid == 0) {
                $inherited{"$child/$_"} = "$round" x ($_ % 50) for 1 .. 5_000;
                delete $inherited{$_} for 1 .. 10_000;
                print md5_hex(join ',', map { "$_=$inherited{$_}" } sort keys %inherited), "\n";
                exit 0;
            }
            $pipe;
        } 1 .. 4;
        for my $pipe (@pipes) {
            push @answers, <$pipe>;
            close $pipe or die "a child failed: $?";
        }
    }
    say_sum('forks', @answers);
}

# Interpreter threads: each start clones all data, each end frees it.
sub interpreter_threads {
    require threads;
    my @answers;
    for my $round (1 .. 3) {
        my @running = map { my $n = $_; threads->create(sub {
            my %mine = map { ($_ * $n => 'y' x ($_ % 90)) } 1 .. 15_000;
            return md5_hex(join ',', map { "$_$mine{$_}" } sort keys %mine);
        }) } 1 .. 4;
        push @answers, map { $_->join // die 'a thread failed' } @running;
    }
    say_sum('threads', @answers);
}

big_hashes();
expressions();
strings();
forks();
interpreter_threads() if $Config{useithreads};
