! Writers, readers, the latest value, life times, and another process on the other side.
program channel_test
    use, intrinsic :: iso_fortran_env, only: int64, real64
    use tap
    use weir
    implicit none
    character(:), allocatable :: peer

    block
        integer :: length
        call get_environment_variable('WEIR_PEER', length=length)
        allocate (character(length) :: peer)
        call get_environment_variable('WEIR_PEER', peer)
    end block
    call loop()
    call pointers()
    call messages()
    call many()
    call latest()
    call closing()
    call batches_and_times()
    call directory()
    call other_process()
    call error_stop()
    call finish()

contains

    subroutine loop()
        type(weir_writer) :: w
        type(weir_reader) :: r
        real(real64), allocatable :: x(:)
        integer :: i, count, stat
        real(real64) :: total
        call w%open('test/loop')
        call r%open('test/loop?from=oldest')
        do i = 1, 100
            call w%send([real(i, real64), 0.5d0], op='pair', unit='V')
        end do
        count = 0
        total = 0
        do while (r%next(x, timeout=0.05d0, stat=stat))
            count = count + 1
            total = total + sum(x)
        end do
        call check(count == 100 .and. total == 5100, 'a loop reads every message')
        call check(stat == WEIR_ETIMEOUT, 'and ends with a timeout in stat')
        call check(.not. r%next(x, timeout=0d0), 'without stat a timeout is no failure')
        call check(r%gaps() == 0 .and. w%seq() == 100, 'nothing was missed')
        call w%send(2.5d0)
        call check(r%next_any(5d0), 'a single number arrives')
        call r%get('', total)
        call check(total == 2.5d0, 'as a number')
        call check(r%fd() >= 0, 'a reader has a descriptor')
    end subroutine

    subroutine pointers()
        type(weir_writer) :: w
        type(weir_reader) :: r
        real(real64), pointer :: p(:)
        integer :: i
        logical :: are_good
        call w%open('test/pointers')
        call r%open('test/pointers?from=oldest')
        are_good = .true.
        do i = 1, 50
            call w%send(spread(real(i, real64), 1, 1000))
            if (are_good) are_good = r%next(p, timeout=5d0)
            if (are_good) are_good = size(p) == 1000 .and. all(p == i)
        end do
        call check(are_good, 'pointers see message after message')
        call w%send('not an array')
        call check(.not. r%next(p, timeout=5d0, stat=i) .and. i == WEIR_ETYPE, 'a text is no array')
        call check(.not. associated(p), 'and the pointer is null rather than stale')
    end subroutine

    subroutine messages()
        type(weir_writer) :: w
        type(weir_reader) :: r
        type(weir_message) :: first, second, copy
        integer(int64) :: n
        call w%open('test/messages')
        call r%open('test/messages?from=oldest')
        call w%send_json('{"n": 1}', op='one')
        call w%send_json('{"n": 2}', op='two')
        call check(r%next(first, 5d0), 'a message of its own')
        call check(r%next(second, 5d0), 'and the next')
        call check_text(first%op()//second%op(), 'onetwo', 'live on while the reader goes on')
        copy = first
        first = second
        call copy%get('n', n)
        call check(n == 1, 'a copy keeps what it copied')
        call first%get('n', n)
        call check(n == 2, 'an assigned message has the new content')
        call check(index(copy%json(), '"op":"one"') > 0, 'a message as one line of JSON')
    end subroutine

    subroutine many()
        type(weir_writer) :: w
        type(weir_reader) :: r
        type(weir_message) :: m(4)
        real(real64), allocatable :: x(:)
        real(real64) :: pairs(2, 5), numbers(3), total
        integer :: i, n, got, sent, stat
        call w%open('test/many')
        call r%open('test/many?from=oldest')
        pairs = reshape([(real(i, real64), i=1, 10)], [2, 5])
        call w%send_many(pairs, op='pair', unit='V', sent=sent)
        call check(sent == 5 .and. w%seq() == 5, 'each column is a message')
        call w%send_many(pairs(:, 1:5:2), order='row')
        got = 0
        total = 0
        do while (got < 8)
            n = r%next_many(m, timeout=5d0)
            do i = 1, n
                call m(i)%array(x)
                total = total + sum(x)
            end do
            if (got == 0) call check_text(m(1)%op()//m(1)%type(), 'pairf64[2]', 'with what they have in common')
            got = got + n
        end do
        call check(got == 8 .and. total == 55 + 3 + 11 + 19, 'all of them come')
        call check(r%next_many(m, timeout=0d0, stat=stat) == 0 .and. stat == WEIR_ETIMEOUT, 'and then none')
        numbers = [1, 2, 3]
        call w%send_many(numbers)
        call check(r%next_many(m(:2), timeout=5d0) == 2, 'at most as many as there is room for')
        call check_text(m(2)%type(), 'f64', 'numbers are messages too')
        call w%send_many(1d0, sent=sent, stat=stat)
        call check(stat == WEIR_EINVAL .and. sent == 0, 'a single number is not many')
    end subroutine

    subroutine latest()
        type(weir_writer) :: w, unstamped
        type(weir_reader) :: r
        type(weir_message) :: m
        integer :: stat
        integer(int64) :: n
        character(300) :: sentence
        call weir_get('test/nowhere', m, stat=stat)
        call check(stat == WEIR_ENOENT, 'no channel, no latest value')
        call w%open('test/latest')
        call w%send_json('1')
        call w%send_json('2')
        call weir_get('test/latest', m, max_age=60d0)
        call m%get('', n)
        call check(n == 2, 'the latest value')
        call weir_get('test/latest', m, max_age=-1d0, stat=stat, errmsg=sentence)
        call check(stat == WEIR_ENOENT .and. index(sentence, ' s old, more than -1.000 s') > 0, 'which is too old')
        call m%get('', n)
        call check(n == 2, 'and is there all the same')
        call unstamped%open('test/unstamped?stamp=0')
        call unstamped%send(1)
        call weir_get('test/unstamped', m, max_age=60d0, stat=stat, errmsg=sentence)
        call check(stat == WEIR_ENOENT .and. index(sentence, 'no time') > 0, 'one without a time is never young')
        call r%open('test/latest')
        call check(r%latest(), 'a reader skips to the newest message')
        call r%get('', n)
        call check(n == 2 .and. r%has_message(), 'and speaks of it')
        call r%release()
        call check(.not. r%has_message(), 'until it is given back')
    end subroutine

    subroutine closing()
        type(weir_writer) :: w
        type(weir_map) :: nothing
        integer :: i, stat, before
        before = open_descriptors()
        do i = 1, 50
            call open_and_forget()
        end do
        call check(open_descriptors() == before, 'ends close when they go out of scope')
        call w%send(nothing, stat=stat)
        call check(stat == WEIR_EINVAL, 'a closed writer refuses')
        call w%close()
        call check(.not. w%is_open(), 'closing twice does nothing')
    end subroutine

    subroutine batches_and_times()
        type(weir_writer) :: w
        type(weir_reader) :: r
        integer(int64), parameter :: THEN = 1700000000123456789_int64
        integer :: i, stat
        call w%open('test/times?timeout=1.5s')
        call r%open('test/times')
        call check(w%timeout() == 1.5d0, 'how long a writer waits')
        call w%set_timeout()
        call check(w%timeout() > 1d300, 'without end')
        call w%set_time(THEN)
        call w%cork()
        do i = 1, 3
            call w%send(i)
        end do
        call check(.not. r%next_any(0.02d0), 'corked messages are held back')
        call w%uncork()
        call check(r%next_any(5d0) .and. r%time_ns() == THEN, 'and come with the time that was given')
        call check(r%next_any(5d0) .and. r%next_any(5d0) .and. r%seq() == 3, 'all of them')
        call w%set_time(0_int64)
        call w%send(4)
        call check(r%next_any(5d0) .and. r%time_ns() == 0, 'without a time')
        call w%set_time()
        call w%send(5)
        call check(r%next_any(5d0) .and. r%age() >= 0 .and. r%age() < 20, 'with the clock''s again')
        call w%close()
        call w%uncork(stat=stat)
        call check(stat == WEIR_EINVAL, 'a closed writer has no batch')
    end subroutine

    subroutine directory()
        type(weir_writer) :: w
        character(:), allocatable :: json
        character(300) :: sentence
        integer :: stat
        call weir_info('test/explained', json, stat=stat)
        call check(stat == WEIR_ENOENT, 'no channel, nothing to explain')
        call w%open('test/explained')
        call w%send(1)
        call weir_info('test/explained', json)
        call check(index(json, '"state":"live"') > 0 .and. index(json, '"lanes":[{') > 0, 'a channel is explained')
        call weir_remove('test/explained', json, stat=stat, errmsg=sentence)
        call check(stat == WEIR_EBUSY .and. index(sentence, 'has it open') > 0, 'who is there keeps it')
        call w%close()
        call weir_remove('test/explained', json, dry_run=.true.)
        call check(index(json, '"what":"idle channel"') > 0, 'what would go')
        call weir_remove('test/explained', json)
        call weir_info('test/explained', json, stat=stat)
        call check(stat == WEIR_ENOENT, 'and is gone')
        call weir_clean(json, dry_run=.true.)
        call check(json(1:1) == '[', 'what the dead left is a list')
    end subroutine

    subroutine open_and_forget()
        type(weir_writer) :: w
        type(weir_reader) :: r
        type(weir_message) :: m
        call w%open('test/scope')
        call r%open('test/scope')
        call w%send(1d0)
        if (.not. r%next(m, 5d0)) error stop 'the message did not arrive'
    end subroutine

    integer function open_descriptors() result(count)
        integer :: unit, stat
        character(40) :: line
        call execute_command_line('ls /proc/$PPID/fd | wc -l > "$WEIR_SHM_DIR/count"')
        call get_environment_variable('WEIR_SHM_DIR', line)
        open (newunit=unit, file=trim(line)//'/count', status='old', action='read')
        read (unit, *, iostat=stat) count
        close (unit, status='delete')
    end function

    subroutine other_process()
        type(weir_reader) :: r
        integer :: count
        call r%open('test/other?from=oldest')
        call execute_command_line(peer//' write test/other 27 > /dev/null', wait=.false.)
        count = 0
        do while (count < 27)
            if (.not. r%next_any(20d0)) exit
            count = count + 1
        end do
        call check(count == 27, 'another process writes, this one reads')
        call check_text(r%op(), 'blob', 'to the last message')
    end subroutine

    subroutine error_stop()
        integer :: status
        call execute_command_line(peer//' read "test/x?flavour=red" 1 > /dev/null 2> "$WEIR_SHM_DIR/text"', &
            exitstat=status)
        call check(status == 2, 'a failure leaves with a status')
        call execute_command_line('grep -q "^WEIR_EADDRESS: .*flavour" "$WEIR_SHM_DIR/text"', exitstat=status)
        call check(status == 0, 'and with the sentence')
    end subroutine
end program channel_test
