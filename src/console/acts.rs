//! What an operator does when something will not end by itself: each step asks first, on a page of its own, takes the role
//! operator, and goes to the witness with the operator's login, also where it is refused.

use actix_web::HttpResponse;
use maud::{Markup, html};

use super::answer::{self, Trouble};
use super::door::Signed;
use super::input::{Form, Query, with_query};
use super::page::{Page, Section};
use super::{Console, instances, operations, parts};
use crate::domain::desk::{Desk, DeskError, Step};
use crate::domain::ledger::Entry;
use crate::domain::names::Names;
use crate::domain::operation::{Kind, Subject};
use crate::domain::store::StoreError;

/// What is told where the operator says nothing else.
const WHY: &str = "The operator of the broker has given it up.";

/// The longest reason.
const LONGEST: usize = 500;

/// Asks before a retry.
pub(super) async fn ask_retry(signed: Signed, query: Query) -> HttpResponse {
    let page = match about(&signed, &query).await {
        Ok(entry) => Ok(operation_question(
            &signed,
            &entry,
            "Retry now?",
            "/operation/retry",
            &html! {
                p class="lead" { "Its next attempt begins at once, and its tries are counted anew. For one whose cause you have mended." }
            },
            "Retry now",
        )),
        Err(trouble) => Err(trouble),
    };
    signed.answer(Section::Operations, page)
}

/// Retries.
pub(super) async fn retry(signed: Signed, query: Query, form: Form) -> HttpResponse {
    let done = async {
        let Entry { operation, .. } = sent_about(&signed, &query, &form).await?;
        let id = operation.id.clone();
        let step = async move |desk: Desk| desk.retry(&id).await;
        taken(&signed, &Step::from(&operation), step).await?;
        Ok(parts::operation_page(&signed.console, &operation.id) + "&done=retried")
    };
    end(&signed, Section::Operations, done.await).await
}

/// Asks before an operation is given up.
pub(super) async fn ask_give_up(signed: Signed, query: Query) -> HttpResponse {
    let page = match about(&signed, &query).await {
        Ok(entry) => Ok(operation_question(
            &signed,
            &entry,
            "Give it up?",
            "/operation/give-up",
            &html! {
                p class="lead" {
                    "It fails at once. What an attempt that runs comes to does not count any more, and what it has made so far stays in the world."
                }
                label for="why" { "Its user reads" }
                textarea id="why" name="why" rows="2" maxlength=(LONGEST) required { (WHY) }
            },
            "Give up",
        )),
        Err(trouble) => Err(trouble),
    };
    signed.answer(Section::Operations, page)
}

/// Gives an operation up.
pub(super) async fn give_up(signed: Signed, query: Query, form: Form) -> HttpResponse {
    let done = async {
        let Entry { operation, .. } = sent_about(&signed, &query, &form).await?;
        let why = form.get("why").trim();
        if why.chars().count() > LONGEST {
            return Err(Trouble::Bad(format!(
                "The reason is longer than {LONGEST} characters."
            )));
        }
        let why = if why.is_empty() { WHY } else { why }.to_owned();
        let id = operation.id.clone();
        let step = async move |desk: Desk| desk.give_up(&id, &why).await;
        taken(&signed, &Step::from(&operation), step).await?;
        Ok(parts::operation_page(&signed.console, &operation.id) + "&done=given-up")
    };
    end(&signed, Section::Operations, done.await).await
}

/// Asks before an instance is forgotten.
pub(super) async fn ask_forget(signed: Signed, query: Query) -> HttpResponse {
    let page = forget_question(&signed, &query).await;
    signed.answer(Section::Instances, page)
}

/// Forgets an instance.
pub(super) async fn forget(signed: Signed, query: Query, form: Form) -> HttpResponse {
    let done = async {
        signed.sent(&form)?;
        let id = instances::named(&query)?;
        let about = Step {
            operation: None,
            kind: Kind::Deprovision,
            subject: Subject::Instance(id.clone()),
        };
        let step = async move |desk: Desk| desk.forget(&id).await;
        taken(&signed, &about, step).await?;
        Ok(signed.console.at("/instances?done=forgotten"))
    };
    end(&signed, Section::Instances, done.await).await
}

/// Where it went well, shows what it came to; what was counted is counted anew.
pub(super) async fn end(
    signed: &Signed,
    section: Section,
    done: Result<String, Trouble>,
) -> HttpResponse {
    match done {
        Ok(place) => {
            signed.console.census.forget().await;
            signed.console.fullest.forget().await;
            answer::see(&place)
        }
        Err(trouble) => signed.answer(section, Err(trouble)),
    }
}

/// Takes a step, if they may, to its end: who asked for it may go away meanwhile, and what was handed to the store is done
/// all the same, and told of. What is refused is told of, too.
pub(super) async fn taken<T, S>(
    signed: &Signed,
    about: &Step,
    step: impl FnOnce(Desk) -> S,
) -> Result<T, Trouble>
where
    T: Send + 'static,
    S: Future<Output = Result<T, DeskError>> + Send + 'static,
{
    let done = match signed.may_act() {
        Ok(()) => match tokio::spawn(step(desk(signed)?)).await {
            Ok(done) => done.map_err(Trouble::Desk),
            Err(error) => Err(StoreError::Unavailable(error.to_string()).into()),
        },
        Err(why) => Err(why),
    };
    if let Err(why) = &done {
        desk(signed)?.refused(about, why.status().as_u16(), why.word());
    }
    done
}

/// The desk, with this operator at it.
pub(super) fn desk(signed: &Signed) -> Result<Desk, Trouble> {
    let desk = signed.console.desk.as_ref();
    let desk =
        desk.ok_or_else(|| Trouble::NotThere("This broker remembers nothing.".to_owned()))?;
    Ok(desk.of(&signed.session.login, signed.peer))
}

async fn about(signed: &Signed, query: &Query) -> Result<Entry, Trouble> {
    signed.may_act()?;
    operations::named(&signed.console, query).await
}

async fn sent_about(signed: &Signed, query: &Query, form: &Form) -> Result<Entry, Trouble> {
    signed.sent(form)?;
    operations::named(&signed.console, query).await
}

fn operation_question(
    signed: &Signed,
    entry: &Entry,
    title: &str,
    page: &str,
    words: &Markup,
    act: &str,
) -> Page {
    let console = &*signed.console;
    let id = entry.operation.id.as_str();
    let back = parts::operation_page(console, &entry.operation.id);
    let body = html! {
        div class="card" { (operations::facts(console, entry)) }
        (question(console, signed, &with_query(page, &[("id", Some(id))]), &back, words, act))
    };
    Page::new(title, Section::Operations, body)
}

async fn forget_question(signed: &Signed, query: &Query) -> Result<Page, Trouble> {
    signed.may_act()?;
    let console = &*signed.console;
    let id = instances::named(query)?;
    let desk = console
        .desk
        .as_ref()
        .ok_or_else(|| instances::nowhere(&id))?;
    let (instance, bindings) = desk.instance(&id).await?;
    let names = Names::of(&instance);
    let bindings = bindings.len();
    let words = html! {
        p class="lead" {
            "It goes from the store, with "
            @if bindings == 1 { "its binding" } @else { "its " (bindings) " bindings" }
            ". No backend acts: what was made of it stays in the world. It cannot be undone."
        }
        p { "For an instance that is gone already, or whose platform is." }
    };
    let act = with_query("/instance/forget", &[("id", Some(id.as_str()))]);
    let back = parts::instance_page(console, &id);
    let body = html! {
        div class="card" {
            dl class="facts" {
                @if let Some(name) = &names.instance { dt { "Instance" } dd { (name) } }
                dt { "Id" } dd class="id" { (id) }
                dt { "Latest operation" } dd { (parts::standing(&instance.last_operation)) }
                dt { "Bindings" } dd { (bindings) }
            }
        }
        (question(console, signed, &act, &back, &words, "Forget it"))
    };
    Ok(Page::new("Forget this instance?", Section::Instances, body))
}

/// Asks, with a button that does it and a way back.
pub(super) fn question(
    console: &Console,
    signed: &Signed,
    act: &str,
    back: &str,
    words: &Markup,
    name: &str,
) -> Markup {
    html! {
        form class="question" method="post" action=(console.at(act)) {
            input type="hidden" name="token" value=(signed.token);
            (words)
            p class="acts" {
                button type="submit" class="bad" { (name) }
                a class="button" href=(back) { "Cancel" }
            }
        }
    }
}
