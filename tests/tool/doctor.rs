//! `pipehook doctor`: a healthy deployment, and each way in which one is set up wrong.

use crate::scene::Desk;

#[tokio::test]
async fn where_all_is_well_each_link_is_said_to_be() {
    let desk = Desk::new().await;
    let ran = desk.run(&["doctor"]).await;
    insta::assert_snapshot!(ran, @"");
}
