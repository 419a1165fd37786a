//! The ledger by example, and against a naive model under random operations.

use super::*;

fn ledger(config: PoolConfig) -> Ledger<u32, u32> {
    Ledger::new(config)
}

fn small() -> PoolConfig {
    PoolConfig { max_size: 2, max_waiters: 3, ..PoolConfig::default() }
}

/// Opens a server that nobody waits for.
fn open_idle(pool: &mut Ledger<u32, u32>, server: u32, now: Instant) {
    pool.on_opening();
    assert_eq!(pool.on_opened(server, now), Checkin::Idle);
}

#[test]
fn the_server_used_last_is_taken_first() {
    let now = Instant::now();
    let mut pool = ledger(PoolConfig::default());
    open_idle(&mut pool, 1, now);
    open_idle(&mut pool, 2, now);
    assert_eq!(pool.checkout().map(|taken| taken.0), Some(2));
    assert_eq!(pool.checkout().map(|taken| taken.0), Some(1));
    assert!(pool.checkout().is_none());
}

#[test]
fn a_freed_server_goes_to_the_oldest_waiter() {
    let now = Instant::now();
    let mut pool = ledger(small());
    open_idle(&mut pool, 7, now);
    assert!(pool.checkout().is_some());
    assert_eq!(pool.enqueue(100, now), Ok(()));
    assert_eq!(pool.enqueue(101, now), Ok(()));
    assert_eq!(pool.checkin(7, now), Checkin::Hand(100, 7));
    assert_eq!(pool.checkin(7, now), Checkin::Hand(101, 7));
    assert_eq!(pool.checkin(7, now), Checkin::Idle);
}

#[test]
fn the_queue_is_bounded() {
    let now = Instant::now();
    let mut pool = ledger(small());
    for who in 0..3 {
        assert_eq!(pool.enqueue(who, now), Ok(()));
    }
    assert_eq!(pool.enqueue(3, now), Err(QueueFull));
    assert!(pool.withdraw(|who| *who == 1));
    assert!(!pool.withdraw(|who| *who == 1));
    assert_eq!(pool.enqueue(3, now), Ok(()));
    assert_eq!(pool.take_waiters(), vec![0, 2, 3]);
}

#[test]
fn a_paused_pool_gives_its_idle_servers_up_and_hands_none_out() {
    let now = Instant::now();
    let mut pool = ledger(small());
    open_idle(&mut pool, 1, now);
    open_idle(&mut pool, 2, now);
    assert_eq!(pool.checkout().map(|taken| taken.0), Some(2));
    assert_eq!(pool.pause(), vec![1]);
    assert!(pool.is_paused() && pool.checkout().is_none());
    assert_eq!(pool.enqueue(100, now), Ok(()));
    assert!(!pool.wants_server(now), "nothing is opened");
    assert_eq!(pool.checkin(2, now), Checkin::Close(2), "nothing is handed out");
    assert_eq!(pool.open(), 0);
    pool.resume(now);
    assert!(pool.wants_server(now));
    pool.on_opening();
    assert_eq!(pool.on_opened(3, now), Checkin::Hand(100, 3));
}

#[test]
fn a_server_that_was_being_opened_when_the_pool_was_paused_is_closed() {
    let now = Instant::now();
    let mut pool = ledger(small());
    assert_eq!(pool.enqueue(100, now), Ok(()));
    pool.on_opening();
    assert!(pool.pause().is_empty());
    assert_eq!(pool.on_opened(1, now), Checkin::Close(1));
    assert_eq!(pool.counts(), Counts { waiting: 1, waiting_alone: 1, ..Counts::default() });
}

#[test]
fn the_time_of_a_pause_does_not_count_as_waiting() {
    let now = Instant::now();
    let mut pool = ledger(PoolConfig { checkout_timeout: Duration::from_secs(1), ..small() });
    assert_eq!(pool.enqueue(1, now), Ok(()));
    assert!(pool.pause().is_empty());
    let later = now + Duration::from_secs(600);
    assert!(pool.take_expired_waiters(later).is_empty(), "a pause has no end of its own");
    pool.resume(later);
    assert!(pool.take_expired_waiters(later + Duration::from_millis(999)).is_empty());
    assert_eq!(pool.take_expired_waiters(later + Duration::from_secs(1)), vec![1]);
}

#[test]
fn a_pause_ends_waiting_when_that_is_configured() {
    let now = Instant::now();
    let pause_timeout = Some(Duration::from_secs(2));
    let mut pool = ledger(PoolConfig { pause_timeout, ..small() });
    assert!(pool.pause().is_empty());
    assert_eq!(pool.enqueue(1, now), Ok(()));
    assert!(pool.take_expired_waiters(now + Duration::from_secs(1)).is_empty());
    assert_eq!(pool.take_expired_waiters(now + Duration::from_secs(2)), vec![1]);
}

#[test]
fn no_flight_begins_while_the_pool_is_paused() {
    let now = Instant::now();
    let later = now + Duration::from_secs(600);
    let fare = Fare { context: 1, cost: Duration::ZERO };
    let wait_notice = Some(Duration::from_secs(5));
    let mut pool = ledger(PoolConfig { wait_notice, ..small() });
    open_idle(&mut pool, 1, now);
    assert_eq!(pool.checkout().map(|taken| taken.0), Some(1));
    assert!(pool.pause().is_empty());
    assert_eq!(pool.enqueue_shared(100, fare, now), Ok(()));
    assert!(!pool.may_take_off() && !pool.wants_server(now));
    assert_eq!(pool.checkin(1, now), Checkin::Close(1));
    assert!(pool.take_expired_waiters(later).is_empty(), "a pause has no end of its own");
    assert_eq!(pool.notify_waiters(later), vec![100], "who waits for a flight is told, too");
    assert!(pool.notify_waiters(later).is_empty());
    pool.resume(later);
    assert!(pool.may_take_off() && pool.wants_server(later));
    pool.on_opening();
    assert_eq!(pool.on_opened(2, later), Checkin::Fly(2));
    assert_eq!(pool.board(), vec![100]);
}

#[test]
fn a_flight_goes_before_who_waits_alone_but_not_twice_in_a_row() {
    let now = Instant::now();
    let later = now + Duration::from_millis(5);
    let fare = Fare { context: 1, cost: Duration::ZERO };
    let config = PoolConfig { max_waiters: 20, ..small() };
    let mut pool = ledger(config);
    open_idle(&mut pool, 1, now);
    open_idle(&mut pool, 2, now);
    assert!(pool.checkout().is_some() && pool.checkout().is_some());
    for who in 0..3 {
        assert_eq!(pool.enqueue(who, now), Ok(()));
    }
    assert_eq!(pool.enqueue_shared(100, fare, later), Ok(()));
    assert_eq!(pool.checkin(1, later), Checkin::Fly(1), "it is short");
    assert_eq!(pool.board(), vec![100]);
    assert_eq!(pool.enqueue_shared(101, fare, later), Ok(()));
    assert_eq!(pool.checkin(2, later), Checkin::Hand(0, 2), "they had to wait for one");
    pool.on_landed();
    assert_eq!(pool.checkin(1, later), Checkin::Fly(1));
    assert_eq!(pool.board(), vec![101]);
    pool.on_landed();
    assert_eq!(pool.checkin(1, later), Checkin::Hand(1, 1));
    assert_eq!(pool.checkin(1, later), Checkin::Hand(2, 1), "nobody waits for a flight");
}

#[test]
fn resuming_forgets_that_servers_could_not_be_opened() {
    let now = Instant::now();
    let mut pool = ledger(small());
    assert_eq!(pool.enqueue(1, now), Ok(()));
    pool.on_opening();
    pool.on_open_failed(now);
    assert!(pool.is_backing_off(now));
    assert!(pool.pause().is_empty());
    pool.resume(now);
    assert!(pool.wants_server(now) && pool.failures() == 0);
}

#[test]
fn who_waits_long_is_notified_once() {
    let now = Instant::now();
    let wait_notice = Some(Duration::from_secs(5));
    let mut pool = ledger(PoolConfig { wait_notice, ..small() });
    assert_eq!(pool.enqueue(1, now), Ok(()));
    assert_eq!(pool.enqueue(2, now + Duration::from_secs(1)), Ok(()));
    assert!(pool.notify_waiters(now + Duration::from_secs(4)).is_empty());
    assert_eq!(pool.notify_waiters(now + Duration::from_secs(5)), vec![1]);
    assert_eq!(pool.notify_waiters(now + Duration::from_secs(9)), vec![2]);
    assert!(pool.notify_waiters(now + Duration::from_secs(99)).is_empty());
}

#[test]
fn servers_are_opened_only_for_waiters_without_one_and_up_to_the_maximum() {
    let now = Instant::now();
    let mut pool = ledger(small());
    assert!(!pool.wants_server(now));
    for who in 0..3 {
        assert_eq!(pool.enqueue(who, now), Ok(()));
    }
    assert!(pool.wants_server(now));
    pool.on_opening();
    assert!(pool.wants_server(now));
    pool.on_opening();
    assert!(!pool.wants_server(now), "max_size is 2");
}

#[test]
fn reserve_servers_are_opened_only_after_a_long_wait() {
    let now = Instant::now();
    let config = PoolConfig { reserve_size: 1, reserve_after: Duration::from_secs(1), ..small() };
    let mut pool = ledger(config);
    open_idle(&mut pool, 1, now);
    open_idle(&mut pool, 2, now);
    assert!(pool.checkout().is_some() && pool.checkout().is_some());
    assert_eq!(pool.enqueue(9, now), Ok(()));
    assert!(!pool.wants_server(now));
    let later = now + Duration::from_secs(1);
    assert!(pool.wants_server(later));
    pool.on_opening();
    assert_eq!(pool.on_opened(3, later), Checkin::Hand(9, 3));
    assert_eq!(pool.checkin(3, later), Checkin::Close(3), "a reserve server does not stay");
}

#[test]
fn failed_openings_back_off_and_recover() {
    let now = Instant::now();
    let mut pool = ledger(small());
    assert_eq!(pool.enqueue(0, now), Ok(()));
    pool.on_opening();
    pool.on_open_failed(now);
    assert!(!pool.wants_server(now));
    assert!(pool.wants_server(now + BACKOFF_FIRST));
    for _ in 0..40 {
        pool.on_opening();
        pool.on_open_failed(now);
    }
    assert!(!pool.wants_server(now + BACKOFF_MAX - Duration::from_millis(1)));
    assert!(pool.wants_server(now + BACKOFF_MAX));
    pool.on_opening();
    assert_eq!(pool.on_opened(5, now), Checkin::Hand(0, 5));
    assert_eq!(pool.failures(), 0);
}

#[test]
fn old_servers_stay_while_new_ones_cannot_be_opened_and_one_is_tried_again() {
    let now = Instant::now();
    let mut pool = ledger(small());
    open_idle(&mut pool, 1, now);
    assert!(pool.may_retire(now));
    pool.on_opening();
    pool.on_open_failed(now);
    assert!(!pool.may_retire(now));
    let later = now + Duration::from_secs(10);
    assert!(!pool.wants_server(now) && pool.wants_server(later), "nobody waits, but it is tried");
    pool.on_opening();
    assert!(matches!(pool.on_opened(2, later), Checkin::Idle));
    assert!(pool.may_retire(later));
    assert!(!pool.wants_server(later));
}

#[test]
fn old_servers_leave_one_after_the_other() {
    let now = Instant::now();
    let mut pool = ledger(PoolConfig::default());
    open_idle(&mut pool, 1, now);
    open_idle(&mut pool, 2, now);
    pool.on_retired(now);
    assert!(!pool.may_retire(now), "whether another one can be opened is not known yet");
    pool.on_opening();
    let later = now + Duration::from_secs(10);
    assert!(!pool.may_retire(later), "nor is it while that is tried");
    assert!(matches!(pool.on_opened(3, later), Checkin::Idle));
    assert!(pool.may_retire(later));
    pool.on_retired(later);
    assert!(pool.may_retire(later + RETIRE), "when nobody needs another one");
}

#[test]
fn waiters_expire_in_order() {
    let now = Instant::now();
    let mut pool = ledger(PoolConfig { checkout_timeout: Duration::from_secs(1), ..small() });
    assert_eq!(pool.enqueue(0, now), Ok(()));
    assert_eq!(pool.enqueue(1, now + Duration::from_millis(500)), Ok(()));
    assert!(pool.take_expired_waiters(now + Duration::from_millis(999)).is_empty());
    assert_eq!(pool.take_expired_waiters(now + Duration::from_secs(1)), vec![0]);
    assert_eq!(pool.counts().waiting, 1);
}

#[test]
fn idle_servers_leave_down_to_the_minimum() {
    let now = Instant::now();
    let config = PoolConfig { min_size: 1, max_size: 5, ..PoolConfig::default() };
    let timeout = config.idle_timeout;
    let mut pool = ledger(config);
    for server in 0..3 {
        open_idle(&mut pool, server, now);
    }
    assert_eq!(pool.take_surplus(now + timeout, |_, _| false), vec![0, 1]);
    assert_eq!(pool.take_surplus(now, |server, _| *server == 2), vec![2]);
    assert!(pool.wants_server(now), "the minimum is opened again");
}

/// xorshift: enough randomness for a model test, reproducible by its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

#[test]
fn a_target_is_held_ahead_of_need_and_left_slowly() {
    let mut now = Instant::now();
    let mut pool = ledger(PoolConfig { max_size: 5, max_opening: 5, ..PoolConfig::default() });
    assert!(!pool.wants_server(now));
    pool.set_target(Some(9));
    for server in 0..5 {
        assert!(pool.wants_server(now), "server {server}");
        open_idle(&mut pool, server, now);
    }
    assert!(!pool.wants_server(now), "more than max_size");
    pool.set_target(Some(2));
    let mut left = Vec::new();
    for _ in 0..100 {
        now += Duration::from_millis(500);
        let gone = pool.take_surplus(now, |_, _| false);
        assert!(gone.len() <= 1, "{gone:?} at once");
        left.extend(gone);
    }
    assert_eq!(left, [0, 1, 2], "the servers used longest ago, down to the target");
    assert!(!pool.wants_server(now));
}

#[test]
fn peaks_and_turnover_are_counted_between_two_looks() {
    let now = Instant::now();
    let mut pool = ledger(small());
    open_idle(&mut pool, 1, now);
    open_idle(&mut pool, 2, now);
    let (_, before) = pool.turnover();
    let taken = (pool.checkout().unwrap().0, pool.checkout().unwrap().0);
    assert_eq!(pool.enqueue(7, now), Ok(()));
    assert_eq!(pool.checkin(taken.0, now), Checkin::Hand(7, taken.0));
    assert_eq!(pool.checkin(taken.0, now), Checkin::Idle);
    assert_eq!(pool.checkin(taken.1, now), Checkin::Idle);
    assert_eq!(pool.turnover(), (3, before + 3));
    assert_eq!(pool.take_peak(), 2);
    assert_eq!(pool.take_peak(), 0);
}

#[test]
fn a_server_is_in_exactly_one_place_whatever_happens() {
    for seed in 1..=300_u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let config = PoolConfig {
            max_size: 1 + u32::try_from(random.below(6)).unwrap(),
            reserve_size: u32::try_from(random.below(3)).unwrap(),
            reserve_after: Duration::from_millis(20),
            max_waiters: 8,
            checkout_timeout: Duration::from_millis(100),
            ..PoolConfig::default()
        };
        let bound = config.max_size + config.reserve_size;
        let mut now = Instant::now();
        let mut pool = ledger(config);
        let (mut held, mut queue): (Vec<u32>, VecDeque<u32>) = (Vec::new(), VecDeque::new());
        let (mut next_server, mut next_waiter, mut opening) = (0, 0, 0_u32);
        for _ in 0..2_000 {
            now += Duration::from_millis(random.below(5));
            match random.below(7) {
                0 => match pool.checkout() {
                    Some((server, _)) => {
                        assert!(queue.is_empty(), "seed {seed}: overtook a waiter");
                        held.push(server);
                    }
                    None => {
                        if pool.enqueue(next_waiter, now).is_ok() {
                            queue.push_back(next_waiter);
                        }
                        next_waiter += 1;
                    }
                },
                1 if pool.wants_server(now) => {
                    pool.on_opening();
                    opening += 1;
                }
                2 if opening > 0 => {
                    opening -= 1;
                    if random.below(4) == 0 {
                        pool.on_open_failed(now);
                    } else {
                        next_server += 1;
                        place(pool.on_opened(next_server, now), &mut held, &mut queue, seed);
                    }
                }
                3 if !held.is_empty() => {
                    let index = usize::try_from(random.below(held.len() as u64)).unwrap();
                    let server = held.swap_remove(index);
                    place(pool.checkin(server, now), &mut held, &mut queue, seed);
                }
                4 if !held.is_empty() => {
                    held.pop();
                    pool.on_closed();
                }
                5 => {
                    for who in pool.take_expired_waiters(now) {
                        assert_eq!(queue.pop_front(), Some(who), "seed {seed}");
                    }
                }
                _ => {
                    if let Some(&who) = queue.get(1) {
                        assert!(pool.withdraw(|waiter| *waiter == who), "seed {seed}");
                        queue.remove(1);
                    }
                }
            }
            let counts = pool.counts();
            assert_eq!(counts.busy as usize, held.len(), "seed {seed}");
            assert_eq!(counts.waiting, queue.len(), "seed {seed}");
            assert!(pool.open() <= bound, "seed {seed}: {} servers of {bound}", pool.open());
            assert!(counts.idle == 0 || queue.is_empty(), "seed {seed}: idle beside waiters");
        }
    }
}

fn place(outcome: Checkin<u32, u32>, held: &mut Vec<u32>, queue: &mut VecDeque<u32>, seed: u64) {
    match outcome {
        Checkin::Hand(who, server) => {
            assert_eq!(queue.pop_front(), Some(who), "seed {seed}: not first come, first served");
            held.push(server);
        }
        Checkin::Idle | Checkin::Fly(..) | Checkin::Close(_) => {}
    }
}
