//! Builds on two machines that share a cache in a folder.

use engine::{Engine, Error, Step};

fn steps(command: &str) -> Vec<Step> {
    vec![
        Step::new("FROM base", &[]),
        Step::new("COPY src .", &[(0, "")]),
        Step::new(command, &[(1, "/src")]),
        Step::new("COPY --from=1 /out .", &[(0, ""), (2, "/out")]),
    ]
}

#[tokio::test]
async fn what_one_machine_built_another_imports() -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let cache = format!("type=local,dest={}", folder.path().join("cache").display());
    let first = Engine::new()?;
    let built = first.build(&steps("RUN make"))?;
    assert_eq!(built.ran.len(), 4);
    first.cache_to(&built, &cache).await?;

    let mut second = Engine::new()?;
    second.cache_from(&cache.replace("dest=", "src=")).await?;
    let again = second.build(&steps("RUN make"))?;
    assert_eq!(again.ran, Vec::<String>::new());
    assert_eq!(again.layers, built.layers);
    Ok(())
}

#[tokio::test]
async fn a_changed_step_runs_again_with_what_stands_on_it_and_is_exported_with_the_rest() -> Result<(), Error>
{
    let folder = tempfile::tempdir()?;
    let name = |name: &str| folder.path().join(name).display().to_string();
    let first = Engine::new()?;
    first.cache_to(&first.build(&steps("RUN make"))?, &format!("type=local,dest={}", name("one"))).await?;

    let mut second = Engine::new()?;
    second.cache_from(&format!("type=local,src={}", name("one"))).await?;
    let changed = second.build(&steps("RUN make all"))?;
    assert_eq!(changed.ran, ["RUN make all", "COPY --from=1 /out ."]);
    // Its layers are in two stores: those that ran in memory, the others in the imported folder.
    second.cache_to(&changed, &format!("type=local,dest={}", name("two"))).await?;

    let mut third = Engine::new()?;
    third.cache_from(&format!("type=local,src={}", name("two"))).await?;
    assert_eq!(third.build(&steps("RUN make all"))?.ran, Vec::<String>::new());
    assert_eq!(third.build(&steps("RUN make"))?.ran, ["RUN make", "COPY --from=1 /out ."]);
    Ok(())
}
