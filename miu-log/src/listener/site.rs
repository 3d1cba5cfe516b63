//! Call sites as the listener needs them: prepared once, for rendering.
//!
//! Those of this process come from its dictionary in memory, those of others from their dictionary files.

use crate::callsite::{self, Foreign};
use crate::escape::escaped;
use crate::record::Site;
use crate::template::Template;

/// Prepares a call site of this process, if it is not there yet.
#[inline]
pub(crate) fn ensure_site(sites: &mut Vec<Option<Site>>, id: u32) {
    if !matches!(sites.get(id as usize), Some(Some(_))) {
        prepare_site(sites, id);
    }
}

#[cold]
fn prepare_site(sites: &mut Vec<Option<Site>>, id: u32) {
    let Some(found) = callsite::describe(id) else { return };
    let names = found.fields.iter().copied();
    let Some(site) = site(id, found.line, [found.file, found.module, found.function, found.template], names)
    else {
        return;
    };
    let index = id as usize;
    if sites.len() <= index {
        sites.resize_with(index + 1, || None);
    }
    sites[index] = Some(site);
}

/// A call site of another process. None where its template is none.
pub(crate) fn foreign_site(found: &Foreign) -> Option<Site> {
    let texts = [&*found.file, &*found.module, &*found.function, &*found.template];
    site(found.id, found.line, texts, found.fields.iter().map(String::as_str))
}

fn site<'a>(
    id: u32,
    line: u32,
    [file, module, function, template]: [&str; 4],
    fields: impl Iterator<Item = &'a str>,
) -> Option<Site> {
    let function = function.strip_prefix(module).unwrap_or(function).trim_start_matches("::");
    let location = match (module.is_empty(), function.is_empty()) {
        (true, _) => format!("{file}:{line}"),
        (false, true) => format!("{module}:{line}"),
        (false, false) => format!("{module}:{function}:{line}"),
    };
    let template = Template::parse(template).ok()?;
    let names: Vec<String> = fields.map(str::to_owned).collect();
    Some(Site {
        id,
        file: file.to_owned(),
        line,
        module: module.to_owned(),
        function: function.to_owned(),
        location: escaped(&location),
        template,
        fields: names.iter().map(|name| escaped(name)).collect(),
        names,
    })
}

/// Stands for the listener itself, in records of its own.
pub(crate) fn own_site() -> Site {
    named_site("miu_log")
}

/// Stands for a call site that its process's dictionary does not have: the record's first argument is taken for its message.
pub(crate) fn unknown_site() -> Site {
    named_site("unknown")
}

fn named_site(name: &str) -> Site {
    Site {
        id: 0,
        file: String::new(),
        line: 0,
        module: name.to_owned(),
        function: String::new(),
        location: name.to_owned(),
        template: Template::parse("{}").unwrap_or_default(),
        fields: Vec::new(),
        names: Vec::new(),
    }
}
