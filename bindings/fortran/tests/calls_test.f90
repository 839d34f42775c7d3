! Clients and servers, each with another process on the other side.
program calls_test
    use, intrinsic :: iso_fortran_env, only: int64, real64
    use omp_lib, only: omp_get_num_threads, omp_get_thread_num
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
    call asking()
    call answering()
    call halves()
    call many()
    call taken_back()
    call late()
    call workers()
    call nobody()
    call finish()

contains

    subroutine asking()
        type(weir_client) :: c
        type(weir_error) :: error
        real(real64), allocatable :: y(:, :)
        character(:), allocatable :: text
        integer :: stat
        call execute_command_line(peer//' serve test/echo echo 4 > /dev/null', wait=.false.)
        call c%open('test/echo')
        call c%call_json('echo', '{"a": [1, 2]}', timeout=20d0)
        call check_text(c%data_json(), '{"a":[1,2]}', 'a reply to JSON')
        call c%get_meta('by', text)
        call check_text(text, 'serve', 'and its meta')
        call c%call('echo', reshape([1d0, 2d0, 3d0, 4d0, 5d0, 6d0], [2, 3]), timeout=20d0)
        call c%array(y)
        call check(all(shape(y) == [2, 3]) .and. y(2, 3) == 6 .and. y(2, 1) == 2, 'an array there and back')
        call c%call_json('sing', stat=stat, timeout=20d0)
        error = c%error()
        call check(stat == WEIR_EREMOTE .and. error%sys_errno == 42, 'the server says no')
        call check_text(error%text, 'no operation sing here', 'in its own words')
        call c%call_json('echo', timeout=20d0)
        call check(c%codec() == 0, 'a call without data gets a reply without data')
    end subroutine

    subroutine answering()
        type(weir_server) :: s
        integer :: stat
        character(:), allocatable :: ask
        call s%open('test/serve')
        ask = peer//' call test/serve '
        call execute_command_line('{ '//ask//'double 21; '//ask//'fail ""; } > "$WEIR_SHM_DIR/answers"', wait=.false.)
        call check(s%next(20d0), 'a request')
        call check_text(s%op(), 'double', 'its operation')
        call s%reply(twice(s))
        call check(s%next(20d0), 'the next request')
        call s%fail('too late', 7)
        call s%reply_json('1', stat=stat)
        call check(stat == WEIR_EINVAL .or. stat == WEIR_OK, 'a second answer does no harm')
        call check(holds_in_time('printf "ready\nok\t42.0\nready\nerror\t7\ttoo late\n" | '// &
            'cmp -s - "$WEIR_SHM_DIR/answers"'), 'the other process got both answers')
    end subroutine

    real(real64) function twice(s)
        type(weir_server), intent(inout) :: s
        call s%get('', twice)
        twice = 2*twice
    end function

    ! Whether a command succeeds within some seconds.
    logical function holds_in_time(command) result(holds)
        character(*), intent(in) :: command
        integer :: i, status
        do i = 1, 200
            call execute_command_line(command, exitstat=status)
            holds = status == 0
            if (holds) return
            call execute_command_line('sleep 0.05')
        end do
    end function

    ! A client and a server in one program, which waits for both by their descriptors.
    subroutine halves()
        type(weir_client) :: c
        type(weir_server) :: s
        type(weir_map) :: question
        real(real64), allocatable :: x(:)
        logical :: ready(2)
        integer :: stat, fds(2)
        call s%open('test/halves')
        call c%open('test/halves')
        call check(.not. c%receive(0d0, stat) .and. stat == WEIR_EINVAL, 'without a request there is no reply')
        fds = [s%fd(), c%fd()]
        call check(.not. s%next(0d0), 'nobody asked yet')
        call check(.not. weir_wait(fds(:1), ready(:1), timeout=0.01d0, stat=stat), 'so there is nothing to do')
        call check(stat == WEIR_ETIMEOUT .and. .not. ready(1), 'and a wait ends in time')
        call c%send('double', [1d0, 2.5d0])
        call check(.not. c%receive(0d0, stat) .and. stat == WEIR_ETIMEOUT, 'the reply is not there yet')
        call check(weir_wait(fds, ready, timeout=20d0) .and. ready(1), 'the server has something to do')
        call check(s%next(5d0), 'which is the request')
        call s%array(x)
        call s%reply(2*x)
        call check(weir_wait(fds(2:), ready(2:), timeout=20d0) .and. ready(2), 'then the client has')
        call check(c%receive(5d0), 'which is the reply')
        call c%array(x)
        call check(all(x == [2d0, 5d0]), 'with its data')
        call question%put('n', 1)
        call c%send('map', question)
        call check(s%next(5d0), 'a map is sent')
        call check_text(s%data_json(), '{"n":1}', 'as it is')
        call s%fail('no maps here', 3)
        call check(.not. c%receive(5d0, stat) .and. stat == WEIR_EREMOTE, 'a refusal is an error of receive')
        call check(.not. weir_wait([-1], ready(:1), 0d0, stat) .and. stat /= WEIR_OK, 'no descriptor is refused')
    end subroutine

    ! Replies by id, and to whichever is next.
    subroutine many()
        type(weir_client) :: c
        type(weir_server) :: s
        integer(int64) :: ids(10)
        integer :: i, n, stat
        logical :: is_right
        call s%open('test/many')
        call c%open('test/many')
        call check(c%id() == 0 .and. c%under_way() == 0, 'a client that has asked nothing')
        do i = 1, 10
            call c%send('double', i)
            ids(i) = c%id()
        end do
        call check(c%under_way() == 10 .and. all(ids(2:) - ids(:9) == 1), 'many requests are under way')
        do i = 1, 10
            if (.not. s%next(20d0)) exit
            call s%get('', n)
            if (n == 7) then
                call s%fail('no seven here', 7)
            else
                call s%reply(2*n)
            end if
        end do
        call check(c%receive(20d0, ids(4)), 'the reply to one of them')
        call check(c%id() == ids(4), 'has its id')
        call c%get('', n)
        call check(n == 8, 'and its data')
        call check(.not. c%receive(0d0, ids(4), stat) .and. stat == WEIR_EINVAL, 'and comes once')
        is_right = .true.
        do i = 1, 10
            if (i == 4) cycle
            if (c%receive(20d0, stat)) then
                call c%get('', n)
                is_right = is_right .and. c%id() == ids(i) .and. n == 2*i
            else
                is_right = is_right .and. i == 7 .and. stat == WEIR_EREMOTE .and. c%id() == ids(7)
            end if
        end do
        call check(is_right .and. c%under_way() == 0, 'then the others, an error among them')
    end subroutine

    ! Until the server hears of it, for some seconds.
    logical function comes_cancelled(s) result(is_cancelled)
        type(weir_server), intent(inout) :: s
        integer :: i
        do i = 1, 400
            is_cancelled = s%is_cancelled()
            if (is_cancelled) return
            call execute_command_line('sleep 0.05')
        end do
    end function

    subroutine taken_back()
        type(weir_client) :: c
        type(weir_server) :: s
        integer(int64) :: first
        integer :: stat, n
        call s%open('test/back')
        call c%open('test/back')
        call check(.not. s%is_cancelled(stat) .and. stat == WEIR_EINVAL, 'without a request nothing is taken back')
        call c%send('double', 1)
        first = c%id()
        call c%send('double', 2)
        call check(s%next(20d0), 'a request')
        call check(.not. s%is_cancelled(), 'that is waited for')
        call s%get('', n)
        call check(n == 1 .and. s%id() == first, 'still has its data after the look')
        call c%cancel(first)
        call check(c%under_way() == 1, 'it is under way no more')
        call check(comes_cancelled(s), 'and the server hears that it is taken back')
        call c%cancel(first, stat)
        call check(stat == WEIR_EINVAL, 'which happens once')
        call s%reply(n)
        call check(s%next(20d0), 'the next request')
        call check(.not. s%is_cancelled(), 'is another')
        call s%reply(4)
        call check(c%receive(20d0), 'and is answered')
        call c%get('', n)
        call check(n == 4 .and. c%under_way() == 0, 'with its own reply')
    end subroutine

    ! A call that timed out leaves nothing for the next one.
    subroutine late()
        type(weir_client) :: c
        type(weir_server) :: s
        integer(int64) :: first
        integer :: stat, n
        call s%open('test/late')
        call c%open('test/late')
        call c%call('wait', 1, timeout=0.01d0, stat=stat)
        call check(stat == WEIR_ETIMEOUT .and. c%under_way() == 0, 'a call that is not answered is taken back')
        first = c%id()
        call check(s%next(20d0), 'the server has it')
        call check(s%id() == first, 'by its id')
        call check(comes_cancelled(s), 'and hears that it was taken back')
        call s%reply(-1)
        call c%send('next', 2)
        call check(s%next(20d0), 'the next request')
        call s%reply(22)
        call check(c%receive(20d0), 'has a reply')
        call check(c%id() /= first, 'of its own')
        call c%get('', n)
        call check(n == 22, 'which is not the late one')
    end subroutine

    ! None answers its first request before all have one, so all are at work at a time.
    subroutine workers()
        integer, parameter :: requests = 120, handles = 3
        type(weir_client) :: c
        type(weir_server) :: s(handles)
        integer :: answered(requests), i, number, n
        logical :: is_right, is_there, by(handles)
        call s(1)%open('test/workers')
        call s(1)%worker(s(2))
        call s(1)%worker(s(3))
        call c%open('test/workers')
        do i = 1, requests
            call c%send('work', i)
        end do
        answered = 0
        number = 0
        !$omp parallel num_threads(handles) private(i, n, is_there) shared(s, answered, number)
        i = omp_get_thread_num() + 1
        !$omp single
        number = omp_get_num_threads()
        !$omp end single
        is_there = s(i)%next(20d0)
        !$omp barrier
        do while (is_there)
            call s(i)%get('', n)
            !$omp atomic
            answered(n) = answered(n) + 1
            call s(i)%reply(i)
            is_there = s(i)%next(1d0)
        end do
        !$omp end parallel
        call check(number == handles .and. all(answered == 1), 'each request goes to exactly one worker')
        is_right = .true.
        by = .false.
        do i = 1, requests
            if (.not. c%receive(20d0)) is_right = .false.
            call c%get('', n)
            by(n) = .true.
        end do
        call check(is_right .and. c%under_way() == 0 .and. all(by), 'all of whom answer')
    end subroutine

    subroutine nobody()
        type(weir_client) :: c
        integer :: stat
        character(300) :: sentence
        call c%open('test/nobody')
        call c%call('x', 1d0, timeout=0.05d0, stat=stat, errmsg=sentence)
        call check(stat == WEIR_ETIMEOUT .and. len_trim(sentence) > 0, 'nobody answers, and the sentence says so')
        call check(.not. c%has_message(), 'and there is no reply')
    end subroutine
end program calls_test
