use std::sync::atomic::{AtomicU32, Ordering};

use stanch_model::{Meaning, ObservableKind};

use super::*;

/// What a made-up enricher does when asked.
#[derive(Clone, Copy)]
enum Doing {
    Answer,
    Fail,
    Panic,
    SlowDown,
}

struct Fake {
    name: &'static str,
    takes: Span,
    deadline: Span,
    doing: fn(u32) -> Doing,
    asked: AtomicU32,
    at_once: AtomicU32,
    most_at_once: AtomicU32,
}

impl Fake {
    fn new(name: &'static str, takes: Span, doing: fn(u32) -> Doing) -> Arc<Fake> {
        let none = || AtomicU32::new(0);
        let deadline = Span::secs(2);
        Arc::new(Fake { name, takes, deadline, doing, asked: none(), at_once: none(), most_at_once: none() })
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait::async_trait]
impl Enricher for Fake {
    fn name(&self) -> &str {
        self.name
    }

    fn deadline(&self) -> Span {
        self.deadline
    }

    fn knows(&self, about: &Observable) -> bool {
        about.kind != ObservableKind::User
    }

    async fn look_up(&self, site: &str, about: &Observable) -> Result<Vec<Fact>, Failure> {
        let n = self.asked.fetch_add(1, Ordering::SeqCst);
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(self.takes.to_std()).await;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        match (self.doing)(n) {
            Doing::Answer => {
                let meaning = Meaning::Note { name: "site".to_owned(), value: site.to_owned() };
                Ok(vec![Fact { provider: self.name.to_owned(), about: about.clone(), meaning }])
            }
            Doing::Fail => Err(Failure::transient("down")),
            Doing::Panic => panic!("a bug"),
            Doing::SlowDown => {
                Err(Failure::RateLimited { why: "too fast".to_owned(), retry_after: Span::secs(60) })
            }
        }
    }
}

const DEAD: Span = Span::hours(24);

fn ip(n: u32) -> Observable {
    Observable::new(ObservableKind::Ip, format!("192.0.2.{n}"))
}

fn schedule(fakes: &[&Arc<Fake>], overall: Span) -> Schedule {
    let enrichers = fakes.iter().map(|f| Arc::clone(f) as Arc<dyn Enricher>).collect();
    Schedule::new(enrichers, overall)
}

fn shown(answers: &[Answer]) -> Vec<String> {
    let outcome = |o: &Result<Vec<Fact>, Failure>| match o {
        Ok(facts) => format!("{} facts", facts.len()),
        Err(failure) => failure.to_string(),
    };
    answers
        .iter()
        .map(|a| format!("{} {} {} {}", a.provider, a.about.value, outcome(&a.outcome), a.took))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_dead_enricher_delays_no_other_answer() {
    let fast = Fake::new("fast", Span(100), |_| Doing::Answer);
    let dead = Fake::new("dead", DEAD, |_| Doing::Answer);
    let slow = Fake::new("slow", Span(300), |_| Doing::Answer);
    let schedule = schedule(&[&fast, &dead, &slow], Span::secs(30));
    let answers = schedule.look_up_all("north", &[ip(1), ip(2)]).await;
    assert_eq!(
        shown(&answers),
        [
            "fast 192.0.2.1 1 facts 100ms",
            "dead 192.0.2.1 no answer within 2s 2s",
            "slow 192.0.2.1 1 facts 300ms",
            "fast 192.0.2.2 1 facts 100ms",
            "dead 192.0.2.2 no answer within 2s 2s",
            "slow 192.0.2.2 1 facts 300ms",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn each_answer_is_handed_over_when_it_comes() {
    let fast = Fake::new("fast", Span(100), |_| Doing::Answer);
    let dead = Fake::new("dead", DEAD, |_| Doing::Answer);
    let schedule = schedule(&[&dead, &fast], Span::secs(30));
    let start = Instant::now();
    let mut came = Vec::new();
    schedule
        .look_up_each("north", &[ip(1)], |place, a| {
            came.push((place, a.provider.clone(), span(start.elapsed())))
        })
        .await;
    assert_eq!(came, [(1, "fast".to_owned(), Span(100)), (0, "dead".to_owned(), Span(2_000))]);
}

#[tokio::test(start_paused = true)]
async fn at_the_overall_deadline_exactly_the_missing_are_late() {
    let fast = Fake::new("fast", Span(100), |_| Doing::Answer);
    let dead = Fake::new("dead", DEAD, |_| Doing::Answer);
    let schedule = schedule(&[&dead, &fast], Span(500));
    let answers = schedule.look_up_all("north", &[ip(1)]).await;
    assert_eq!(
        shown(&answers),
        ["dead 192.0.2.1 no answer within 500ms 500ms", "fast 192.0.2.1 1 facts 100ms"]
    );
    assert_eq!(answers[0].outcome, Err(Failure::Late { after: Span(500) }));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_came_too_late_is_there_for_the_next_question() {
    let slow = Fake::new("slow", Span(700), |_| Doing::Answer);
    let schedule = schedule(&[&slow], Span(500));
    assert_eq!(
        shown(&schedule.look_up_all("north", &[ip(1)]).await),
        ["slow 192.0.2.1 no answer within 500ms 500ms"]
    );
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(shown(&schedule.look_up_all("north", &[ip(1)]).await), ["slow 192.0.2.1 1 facts 0ms"]);
    assert_eq!(slow.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn equal_questions_at_the_same_time_are_one_call() {
    let fast = Fake::new("fast", Span(100), |_| Doing::Answer);
    let schedule = schedule(&[&fast], Span::secs(5));
    let all = futures::future::join_all(
        (0..50).map(|_| async { schedule.look_up_all("north", &[ip(1), ip(1)]).await }),
    );
    for answers in all.await {
        assert_eq!(shown(&answers), ["fast 192.0.2.1 1 facts 100ms"]);
    }
    assert_eq!(fast.asked(), 1);
    schedule.look_up_all("south", &[ip(1)]).await;
    assert_eq!(fast.asked(), 2, "another site is another question");
    let health = &schedule.health()[0];
    assert_eq!((health.calls, health.joined, health.remembered), (2, 49, 0));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_strands_nobody() {
    let slow = Fake::new("slow", Span(1_000), |_| Doing::Answer);
    let schedule = Arc::new(schedule(&[&slow], Span::secs(5)));
    let first = tokio::spawn({
        let schedule = schedule.clone();
        async move { schedule.look_up_all("north", &[ip(1)]).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let second = tokio::spawn({
        let schedule = schedule.clone();
        async move { schedule.look_up_all("north", &[ip(1)]).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    first.abort();
    assert_eq!(shown(&second.await.expect("answers")), ["slow 192.0.2.1 1 facts 900ms"]);
    assert_eq!(slow.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn answers_are_remembered_for_a_while_and_failures_for_a_shorter_one() {
    let flaky = Fake::new("flaky", Span(10), |n| if n == 0 { Doing::Fail } else { Doing::Answer });
    let schedule = schedule(&[&flaky], Span::secs(5));
    let ask = async || shown(&schedule.look_up_all("north", &[ip(1)]).await).remove(0);
    assert_eq!(ask().await, "flaky 192.0.2.1 down (may work later) 10ms");
    assert_eq!(ask().await, "flaky 192.0.2.1 down (may work later) 0ms");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(ask().await, "flaky 192.0.2.1 1 facts 10ms");
    tokio::time::sleep(Duration::from_secs(299)).await;
    assert_eq!(ask().await, "flaky 192.0.2.1 1 facts 0ms");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(ask().await, "flaky 192.0.2.1 1 facts 10ms");
    schedule.forget();
    assert_eq!(ask().await, "flaky 192.0.2.1 1 facts 10ms");
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_of_that_enricher_alone() {
    let broken = Fake::new("broken", Span(10), |_| Doing::Panic);
    let fast = Fake::new("fast", Span(100), |_| Doing::Answer);
    let schedule = schedule(&[&broken, &fast], Span::secs(5));
    let answers = schedule.look_up_all("north", &[ip(1)]).await;
    assert_eq!(
        shown(&answers),
        ["broken 192.0.2.1 the enricher broke down: a bug 10ms", "fast 192.0.2.1 1 facts 100ms"]
    );
}

#[tokio::test(start_paused = true)]
async fn after_five_failures_it_is_left_alone_and_then_tried_once() {
    let down = Fake::new("down", Span(10), |n| if n < 6 { Doing::Fail } else { Doing::Answer });
    let schedule = schedule(&[&down], Span::secs(5));
    for n in 1..=5 {
        schedule.look_up_all("north", &[ip(n)]).await;
    }
    let skipped = "not asked for another 30s: 5 failures in a row, the last: down (may work later)";
    assert_eq!(
        shown(&schedule.look_up_all("north", &[ip(6)]).await),
        [format!("down 192.0.2.6 {skipped} 0ms")]
    );
    assert_eq!(down.asked(), 5);
    assert_eq!(schedule.health()[0].left_alone, Some(Span::secs(30)));
    tokio::time::sleep(Duration::from_secs(30)).await;
    let two = schedule.look_up_all("north", &[ip(7), ip(8)]).await;
    assert_eq!(down.asked(), 6, "one try, which fails");
    assert!(two.iter().all(|a| a.outcome.is_err()));
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(schedule.look_up_all("north", &[ip(9)]).await[0].outcome.is_ok());
    let both = schedule.look_up_all("north", &[ip(10), ip(11)]).await;
    assert!(both.iter().all(|a| a.outcome.is_ok()), "it works again");
}

#[tokio::test(start_paused = true)]
async fn an_enricher_that_asks_to_slow_down_is_obeyed_at_once() {
    let busy = Fake::new("busy", Span(10), |_| Doing::SlowDown);
    let schedule = schedule(&[&busy], Span::secs(5));
    schedule.look_up_all("north", &[ip(1)]).await;
    schedule.look_up_all("north", &[ip(2)]).await;
    assert_eq!(busy.asked(), 1);
    assert_eq!(schedule.health()[0].left_alone, Some(Span::secs(60)));
}

#[tokio::test(start_paused = true)]
async fn no_enricher_is_asked_more_at_once_than_its_limit() {
    let slow = Fake::new("slow", Span(100), |_| Doing::Answer);
    let schedule = schedule(&[&slow], Span::secs(5));
    let about: Vec<Observable> = (0..64).map(ip).collect();
    let answers = schedule.look_up_all("north", &about).await;
    assert_eq!(slow.most_at_once.load(Ordering::SeqCst), 16);
    assert_eq!(answers.iter().map(|a| a.took).max(), Some(Span(400)));
    assert!(answers.iter().map(|a| &a.about).eq(&about));
}

#[tokio::test(start_paused = true)]
async fn waiting_in_our_own_queue_is_late_but_no_reason_to_leave_it_alone() {
    let slow = Fake::new("slow", Span(900), |_| Doing::Answer);
    let schedule = schedule(&[&slow], Span::secs(5));
    let about: Vec<Observable> = (0..64).map(ip).collect();
    let answers = schedule.look_up_all("north", &about).await;
    assert_eq!(answers.iter().filter(|a| a.outcome.is_ok()).count(), 32, "two rounds of 16 in two seconds");
    assert!(
        answers.iter().all(|a| a.outcome.is_ok() || a.outcome == Err(Failure::Late { after: Span::secs(2) }))
    );
    let health = &schedule.health()[0];
    assert_eq!((health.failures, health.left_alone), (32, None));
}

#[tokio::test(start_paused = true)]
async fn an_endless_question_is_cut_and_says_so() {
    let fast = Fake::new("fast", Span(1), |_| Doing::Answer);
    let schedule = schedule(&[&fast], Span::secs(5));
    let about: Vec<Observable> =
        (0..1_000).map(|n| Observable::new(ObservableKind::Hostname, format!("h{n}.example"))).collect();
    let answers = schedule.look_up_all("north", &about).await;
    assert_eq!(answers.len(), 1_000);
    assert_eq!(answers.iter().filter(|a| a.outcome.is_ok()).count(), MAX_ABOUT);
}

#[tokio::test(start_paused = true)]
async fn who_knows_nothing_of_a_kind_is_not_asked() {
    let fast = Fake::new("fast", Span(1), |_| Doing::Answer);
    let schedule = schedule(&[&fast], Span::secs(5));
    assert_eq!(schedule.look_up_all("north", &[Observable::new(ObservableKind::User, "root")]).await, []);
    assert_eq!(schedule.look_up_all("north", &[]).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_reference_is_asked_like_any_enricher() {
    let lists = Arc::new(crate::enricher::Warninglists::embedded());
    let schedule = Schedule::new(vec![Arc::new(Local(lists))], Span::secs(5));
    let about = Observable::new(ObservableKind::Ip, "127.0.0.1");
    let answers = schedule.look_up_all("north", &[about]).await;
    assert!(matches!(&answers[0].outcome, Ok(facts) if !facts.is_empty()));
    assert_eq!(answers[0].provider, "warninglists");
}
