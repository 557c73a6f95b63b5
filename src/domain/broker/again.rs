//! A binding as the document gives it now, of the values and outputs that are stored: for a fetch that refreshes, and for
//! an operator who looks for what is out of date. Nothing is ever drawn anew.

use std::fmt;

use super::Broker;
use super::bind::scope;
use crate::domain::answer::{BindingAnswer, BindingField};
use crate::domain::binding::Binding;
use crate::domain::catalog::Catalog;
use crate::domain::instance::Instance;
use crate::domain::json::Object;
use crate::domain::offering::Chosen;
use crate::secret::Secret;
use crate::template::RenderError;

/// What came of rendering a binding once more.
pub(in crate::domain) struct Again {
    /// The values that draw nothing.
    pub(in crate::domain) values: Object,
    /// The fields that draw nothing.
    pub(in crate::domain) answer: BindingAnswer,
    /// The fields that draw something: nobody knows what they would be.
    pub(in crate::domain) drawn: Vec<BindingField>,
}

/// Why a binding cannot be rendered once more.
pub(in crate::domain) enum Stuck {
    /// Its plan left the catalog, or is hidden in it.
    Withdrawn,
    /// The plan's templates do not go with what is stored.
    Render(RenderError),
}

impl fmt::Display for Stuck {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Withdrawn => out.write_str("its plan is not offered any more"),
            Self::Render(why) => why.fmt(out),
        }
    }
}

impl From<RenderError> for Stuck {
    fn from(why: RenderError) -> Self {
        Self::Render(why)
    }
}

/// Renders a binding by the plan that it was made with.
pub(in crate::domain) fn again(
    catalog: &Catalog,
    instance: &Instance,
    binding: &Binding,
) -> Result<Again, Stuck> {
    let chosen = chosen(catalog, binding).ok_or(Stuck::Withdrawn)?;
    let scope = scope(None, chosen, instance, &binding.id);
    let details = binding.details.expose();
    let (answer, drawn) = scope.answer_again(details)?;
    Ok(Again {
        values: scope.values_again(details)?,
        answer,
        drawn,
    })
}

fn chosen<'a>(catalog: &'a Catalog, binding: &Binding) -> Option<Chosen<'a>> {
    catalog.choose(&binding.service_id, &binding.plan_id).ok()
}

impl Broker {
    /// The binding as a fetch gives it: rendered anew where its plan says so, else as it is stored.
    pub(super) fn refreshed(&self, instance: &Instance, mut binding: Binding) -> Binding {
        let catalog = self.catalog();
        let refreshes = chosen(&catalog, &binding);
        if !refreshes.is_some_and(|chosen| chosen.plan.binding.refresh) {
            return binding;
        }
        match again(&catalog, instance, &binding) {
            Ok(again) => {
                let mut details = std::mem::take(&mut binding.details).into_exposed();
                let mut answer = again.answer.0;
                for field in again.drawn {
                    if let Some(stored) = details.answer.0.remove(field.name()) {
                        answer.insert(field.name().to_owned(), stored);
                    }
                }
                details.answer = BindingAnswer(answer);
                binding.details = Secret::new(details);
            }
            Err(stuck) => {
                log::error!(
                    "the binding {} of {} is fetched as it was, for it cannot be rendered anew: {stuck}",
                    binding.id,
                    binding.instance_id
                );
            }
        }
        binding
    }
}
